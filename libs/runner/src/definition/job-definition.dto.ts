import { ApiProperty, ApiPropertyOptional, ApiSchema } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsBoolean,
  IsIn,
  IsObject,
  IsOptional,
  ValidateNested,
} from 'class-validator';
import type { JsonObject } from '#kernel';
import { DEFINITION_LIMITS as MAX, JOB_TIMEOUT_SECONDS } from './definition-limits.js';
import { EXAMPLE_JOB } from './example-job.js';
import { BoundedInt, DisplayName, Nested } from './field-rules.js';
import { ConcurrencyDto, RateLimitDto } from './job-rules.dto.js';
import { StepDefinitionDto } from './step-definition.dto.js';

/** A job as a person submits it, in JSON or YAML. Checked by `parseJobDefinition`, which knows more rules than these decorators. */
@ApiSchema({ name: 'SubmitJob', description: 'A job to run' })
export class SubmitJobDto {
  @ApiProperty({ minLength: 1, maxLength: MAX.nameLength, example: EXAMPLE_JOB.name })
  @DisplayName()
  name!: string;

  @ApiPropertyOptional({ enum: ['PIPELINE'], default: 'PIPELINE' })
  @IsOptional()
  @IsIn(['PIPELINE'], { message: 'must be PIPELINE, the only kind that can be submitted' })
  kind?: string;

  @BoundedInt({ min: 0, max: 9, default: 5 }, '0 runs first, 9 last')
  priority?: number;

  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: { type: 'string' },
    example: EXAMPLE_JOB.env,
    description:
      'Environment of every COMMAND step. Names of letters, digits and _, not beginning with RUNLEDGER_; values may hold ${{ expressions }}',
  })
  @IsOptional()
  @IsObject({ message: 'must be an object of strings' })
  env?: Record<string, string>;

  @ApiPropertyOptional({ format: 'uuid', description: 'Groups jobs and their artifacts' })
  @IsOptional()
  projectId?: string | null;

  @ApiPropertyOptional({ type: [String], maxItems: MAX.tags, description: 'Words to find the job by' })
  @IsOptional()
  @IsArray({ message: 'must be a list of strings' })
  @ArrayMaxSize(MAX.tags, { message: `must have at most ${MAX.tags} entries` })
  tags?: string[] | null;

  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: true,
    description: 'Kept with the job; strings, numbers, true and false at the top can be searched for',
  })
  @IsOptional()
  @IsObject({ message: 'must be an object' })
  metadata?: JsonObject | null;

  @BoundedInt(JOB_TIMEOUT_SECONDS, 'Longest run of the whole job, in seconds, without CLEANUP')
  timeoutSeconds?: number | null;

  @ApiPropertyOptional({ format: 'date-time', description: 'Not started before' })
  @IsOptional()
  runAt?: string | null;

  @ApiPropertyOptional({ format: 'date-time', description: 'Fails with EXPIRED when it was not started by then' })
  @IsOptional()
  expiresAt?: string | null;

  @Nested(() => ConcurrencyDto, 'How many jobs with the same key run at a time')
  concurrency?: ConcurrencyDto | null;

  @Nested(() => RateLimitDto, 'How many jobs with the same key start in a period')
  rateLimit?: RateLimitDto | null;

  @ApiPropertyOptional({ default: true, description: 'Keep the workdir at the end of each phase for a retry' })
  @IsOptional()
  @IsBoolean({ message: 'must be true or false' })
  checkpoints?: boolean | null;

  @ApiProperty({ type: () => [StepDefinitionDto], minItems: 1, maxItems: MAX.steps, example: EXAMPLE_JOB.steps })
  @IsArray({ message: 'must be a list of steps' })
  @ArrayMinSize(1, { message: 'must have at least 1 step' })
  @ArrayMaxSize(MAX.steps, { message: `must have at most ${MAX.steps} steps` })
  @ValidateNested({ each: true })
  @Type(() => StepDefinitionDto)
  steps!: StepDefinitionDto[];
}
