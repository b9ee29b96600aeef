import { ApiPropertyOptional } from '@nestjs/swagger';
import { ArrayMaxSize, ArrayMinSize, IsArray, IsOptional } from 'class-validator';
import { RETRY } from './definition-limits.js';
import { BoundedInt, BoundedNumber, RequiredInt } from './field-rules.js';

/** Exit codes, and the two reasons that have no exit code. */
const MAX_REASONS = 257;

export class RetryDto {
  @RequiredInt(RETRY.maxAttempts, 'Attempts in all, the first included')
  maxAttempts!: number;

  @BoundedInt(RETRY.backoffMs, 'Pause before the second attempt')
  backoffMs?: number | null;

  @BoundedNumber(RETRY.factor, 'Each further pause is so many times longer')
  factor?: number | null;

  @BoundedInt(RETRY.maxBackoffMs, 'Longest pause')
  maxBackoffMs?: number | null;

  @BoundedNumber(RETRY.jitter, 'The share of a pause by which it is made randomly longer or shorter')
  jitter?: number | null;

  @ApiPropertyOptional({
    type: [String],
    description: 'Exit codes, TIMEOUT and INTERRUPTED; whatever the failure by default',
  })
  @IsOptional()
  @IsArray({ message: 'must be a list of exit codes, TIMEOUT and INTERRUPTED' })
  @ArrayMinSize(1, { message: 'must have at least 1 entry' })
  @ArrayMaxSize(MAX_REASONS, { message: `must have at most ${MAX_REASONS} entries` })
  on?: (number | 'TIMEOUT' | 'INTERRUPTED')[] | null;
}
