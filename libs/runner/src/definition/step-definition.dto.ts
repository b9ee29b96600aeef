import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { ArrayMaxSize, ArrayMinSize, IsArray, IsBoolean, IsIn, IsObject, IsOptional, Matches } from 'class-validator';
import type { Json } from '#kernel';
import { ApprovalDto } from './approval.dto.js';
import { PHASES, STEP_TYPES, type Phase, type StepType } from './definition.js';
import {
  ARTIFACT_KIND_PATTERN,
  COMMAND_LIMITS,
  DEFINITION_LIMITS as MAX,
  SECRET_LIMITS,
  STEP_KEY_PATTERN,
  TIMEOUT_SECONDS,
} from './definition-limits.js';
import { BoundedInt, BoundedText, DisplayName, Nested } from './field-rules.js';
import { RetryDto } from './retry.dto.js';

export class CommandLimitsDto {
  @BoundedInt(COMMAND_LIMITS.memoryMb, 'Memory of the whole process tree, in MiB')
  memoryMb?: number;

  @BoundedInt(COMMAND_LIMITS.processes, 'Processes and threads at one time')
  processes?: number;

  @BoundedInt(COMMAND_LIMITS.fileSizeMb, 'Size of any one file that the command writes, in MiB')
  fileSizeMb?: number;

  @BoundedInt(COMMAND_LIMITS.diskMb, 'The workdir and /tmp together, in MiB')
  diskMb?: number;

  @BoundedInt(COMMAND_LIMITS.outputKb, 'Output that is kept, in KiB; of more, the head and the tail')
  outputKb?: number;
}

/** One step as a person writes it: the fields of all types in one flat object; those of other types are refused. */
export class StepDefinitionDto {
  @ApiProperty({
    pattern: STEP_KEY_PATTERN.source,
    description: 'Unique in the job; other steps refer to it as steps.<key>',
    example: 'count',
  })
  @Matches(STEP_KEY_PATTERN, { message: 'must be 1 to 64 of a-z, 0-9, _ and -, beginning with a letter' })
  key!: string;

  @ApiPropertyOptional({ minLength: 1, maxLength: MAX.nameLength, description: 'Shown to people; the key by default' })
  @IsOptional()
  @DisplayName()
  name?: string;

  @ApiPropertyOptional({
    enum: PHASES,
    default: 'EXECUTION',
    description: 'The order of the phases is the order of execution',
  })
  @IsOptional()
  @IsIn(PHASES, { message: `must be one of ${PHASES.join(', ')}` })
  phase?: Phase;

  @ApiProperty({
    enum: STEP_TYPES,
    description: 'COMMAND runs a script, GATE checks a condition, ARTIFACT stores files. AI_ACTION needs an agent',
    example: 'COMMAND',
  })
  @IsIn(STEP_TYPES, { message: `must be one of ${STEP_TYPES.join(', ')}` })
  type!: StepType;

  @ApiPropertyOptional({
    maxLength: MAX.expressionLength,
    description: 'CEL; the step is skipped when it is false',
    example: 'job.priority < 9',
  })
  @IsOptional()
  @BoundedText(1, MAX.expressionLength)
  when?: string;

  @ApiPropertyOptional({ default: false, description: 'A failure of this step does not fail the job' })
  @IsOptional()
  @IsBoolean({ message: 'must be true or false' })
  continueOnError?: boolean;

  @BoundedInt(TIMEOUT_SECONDS, 'Longest run of the step, in seconds')
  timeoutSeconds?: number;

  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: { type: 'string' },
    description: 'COMMAND only. Environment of the command; values may hold ${{ expressions }}',
  })
  @IsOptional()
  @IsObject({ message: 'must be an object of strings' })
  env?: Record<string, string>;

  @ApiPropertyOptional({
    type: [String],
    maxItems: SECRET_LIMITS.entries,
    description: 'COMMAND only. Secrets of the submission that the command gets as variables of these names',
  })
  @IsOptional()
  @IsArray({ message: 'must be a list of names' })
  @ArrayMaxSize(SECRET_LIMITS.entries, { message: `must have at most ${SECRET_LIMITS.entries} entries` })
  secrets?: string[];

  @ApiPropertyOptional({
    minLength: 1,
    maxLength: MAX.runLength,
    description:
      'COMMAND only, instead of `uses`. A shell script. ${{ expressions }} become references to variables, so a value is never code',
    example: 'echo "count=3" >> "$RUNLEDGER_OUTPUT"',
  })
  @IsOptional()
  @BoundedText(1, MAX.runLength)
  run?: string;

  @ApiPropertyOptional({ maxLength: 100, description: 'COMMAND only, instead of `run`. The name of a built-in action' })
  @IsOptional()
  @BoundedText(1, 100)
  uses?: string;

  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: true,
    description: 'The arguments of `uses`; strings may hold ${{ expressions }}',
  })
  @IsOptional()
  @IsObject({ message: 'must be an object' })
  with?: Record<string, Json>;

  @Nested(() => CommandLimitsDto, 'COMMAND only')
  limits?: CommandLimitsDto;

  @ApiPropertyOptional({
    enum: ['none', 'full'],
    default: 'none',
    description: 'COMMAND only. `full` only where the workspace allows it',
  })
  @IsOptional()
  @IsIn(['none', 'full'], { message: 'must be one of none, full' })
  network?: 'none' | 'full';

  @Nested(() => RetryDto, 'COMMAND only. When another attempt follows one that failed; a number stands for maxAttempts')
  retry?: RetryDto | null;

  @ApiPropertyOptional({
    enum: ['retry', 'fail'],
    default: 'retry',
    description: 'COMMAND only. What happens to the step when its worker dies in the middle of it',
  })
  @IsOptional()
  @IsIn(['retry', 'fail'], { message: 'must be one of retry, fail' })
  onInterrupt?: 'retry' | 'fail';

  @ApiPropertyOptional({
    maxLength: MAX.expressionLength,
    description: 'GATE only. CEL; the step fails unless it is true',
  })
  @IsOptional()
  @BoundedText(1, MAX.expressionLength)
  condition?: string;

  @Nested(() => ApprovalDto, 'GATE only. The step waits until people have approved')
  approval?: ApprovalDto | null;

  @ApiPropertyOptional({
    type: [String],
    minItems: 1,
    maxItems: MAX.paths,
    description: 'ARTIFACT only, required. Globs relative to the workdir; may hold ${{ expressions }}',
  })
  @IsOptional()
  @IsArray({ message: 'must be a list of strings' })
  @ArrayMinSize(1, { message: 'must have at least 1 entry' })
  @ArrayMaxSize(MAX.paths, { message: `must have at most ${MAX.paths} entries` })
  paths?: string[];

  @ApiPropertyOptional({ pattern: ARTIFACT_KIND_PATTERN.source, default: 'file', description: 'ARTIFACT only' })
  @IsOptional()
  @Matches(ARTIFACT_KIND_PATTERN, { message: 'must be 1 to 64 of a-z, 0-9, _, . and -, beginning with a letter' })
  artifactKind?: string;

  @ApiPropertyOptional({
    minLength: 1,
    maxLength: MAX.logicalKeyLength,
    description:
      "ARTIFACT only. Names the series that versions count in; the file's path by default. May hold ${{ expressions }}",
  })
  @IsOptional()
  @BoundedText(1, MAX.logicalKeyLength)
  logicalKey?: string;

  @ApiPropertyOptional({
    enum: ['fail', 'ignore'],
    default: 'fail',
    description: 'ARTIFACT only. What happens when no file matches',
  })
  @IsOptional()
  @IsIn(['fail', 'ignore'], { message: 'must be one of fail, ignore' })
  ifNoFiles?: 'fail' | 'ignore';
}
