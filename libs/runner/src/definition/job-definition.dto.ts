import { ApiProperty, ApiPropertyOptional, ApiSchema } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { ArrayMaxSize, ArrayMinSize, IsArray, IsIn, IsObject, IsOptional, ValidateNested } from 'class-validator';
import { DEFINITION_LIMITS as MAX } from './definition-limits.js';
import { EXAMPLE_JOB } from './example-job.js';
import { BoundedInt, DisplayName, StepDefinitionDto } from './step-definition.dto.js';

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

  @ApiProperty({ type: () => [StepDefinitionDto], minItems: 1, maxItems: MAX.steps, example: EXAMPLE_JOB.steps })
  @IsArray({ message: 'must be a list of steps' })
  @ArrayMinSize(1, { message: 'must have at least 1 step' })
  @ArrayMaxSize(MAX.steps, { message: `must have at most ${MAX.steps} steps` })
  @ValidateNested({ each: true })
  @Type(() => StepDefinitionDto)
  steps!: StepDefinitionDto[];
}
