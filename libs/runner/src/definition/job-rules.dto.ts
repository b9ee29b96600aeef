import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsOptional } from 'class-validator';
import type { ConcurrencyRule } from './definition.js';
import { CONCURRENCY_LIMIT, DEFINITION_LIMITS as MAX, RATE_LIMIT, RATE_PERIOD_SECONDS } from './definition-limits.js';
import { BoundedInt, BoundedText, RequiredInt } from './field-rules.js';

export const ON_CONFLICT = ['queue', 'skip', 'cancel-running'] as const satisfies ConcurrencyRule['onConflict'][];

export class ConcurrencyDto {
  @ApiProperty({
    minLength: 1,
    maxLength: MAX.keyTemplateLength,
    description: 'May hold ${{ }} with what is known of `job`',
  })
  @BoundedText(1, MAX.keyTemplateLength)
  key!: string;

  @BoundedInt(CONCURRENCY_LIMIT, 'Jobs with the same key that run at a time')
  limit?: number | null;

  @ApiPropertyOptional({ enum: ON_CONFLICT, default: 'queue', description: 'What a job does that finds the key taken' })
  @IsOptional()
  @IsIn(ON_CONFLICT, { message: `must be one of ${ON_CONFLICT.join(', ')}` })
  onConflict?: ConcurrencyRule['onConflict'] | null;
}

export class RateLimitDto {
  @ApiProperty({
    minLength: 1,
    maxLength: MAX.keyTemplateLength,
    description: 'May hold ${{ }} with what is known of `job`',
  })
  @BoundedText(1, MAX.keyTemplateLength)
  key!: string;

  @RequiredInt(RATE_LIMIT, 'Jobs with the same key that start in a period')
  limit!: number;

  @RequiredInt(RATE_PERIOD_SECONDS, 'Length of the period')
  periodSeconds!: number;
}
