import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import {
  IsInt,
  IsNumber,
  IsObject,
  IsOptional,
  IsString,
  Length,
  Matches,
  Max,
  Min,
  ValidateNested,
} from 'class-validator';
import { Type } from 'class-transformer';
import { DEFINITION_LIMITS } from './definition-limits.js';

interface Bounds {
  min: number;
  max: number;
  default?: number;
}

/** A whole number with bounds: its validation and its place in OpenAPI. Messages begin after the field's name. */
export function BoundedInt(bounds: Bounds, description: string): PropertyDecorator {
  return all(
    ApiPropertyOptional({ type: 'integer', ...schemaOf(bounds), description }),
    IsOptional(),
    ...wholeNumber(bounds),
  );
}

/** As `BoundedInt`, and it has to be given. */
export function RequiredInt(bounds: Bounds, description: string): PropertyDecorator {
  return all(ApiProperty({ type: 'integer', ...schemaOf(bounds), description }), ...wholeNumber(bounds));
}

/** A number with bounds, whole or not. */
export function BoundedNumber(bounds: Bounds, description: string): PropertyDecorator {
  const options = { message: `must be a number from ${bounds.min} to ${bounds.max}` };
  return all(
    ApiPropertyOptional({ type: 'number', ...schemaOf(bounds), description }),
    IsOptional(),
    IsNumber({}, options),
    Min(bounds.min, options),
    Max(bounds.max, options),
  );
}

/** Text of bounded length that is not blank. */
export function BoundedText(min: number, max: number): PropertyDecorator {
  return all(
    IsString({ message: 'must be a string' }),
    Length(min, max, { message: `must have ${min} to ${max} characters` }),
    Matches(/\S/, { message: 'must not be blank' }),
  );
}

/** A name for people: one line, safe to print in a terminal. */
export function DisplayName(length: number = DEFINITION_LIMITS.nameLength): PropertyDecorator {
  return all(
    BoundedText(1, length),
    Matches(/^\P{Cc}*$/u, { message: 'must not hold line breaks or other control characters' }),
  );
}

/** An object of known fields; null counts as absent. */
export function Nested(type: () => new () => object, description: string): PropertyDecorator {
  return all(
    ApiPropertyOptional({ type, description }),
    IsOptional(),
    IsObject({ message: 'must be an object' }),
    ValidateNested(),
    Type(type),
  );
}

function wholeNumber({ min, max }: Bounds): PropertyDecorator[] {
  const options = { message: `must be a whole number from ${min} to ${max}` };
  return [IsInt(options), Min(min, options), Max(max, options)];
}

function schemaOf({ min, max, default: preset }: Bounds): { minimum: number; maximum: number; default?: number } {
  return { minimum: min, maximum: max, ...(preset === undefined ? {} : { default: preset }) };
}

function all(...decorators: PropertyDecorator[]): PropertyDecorator {
  return (target, key) => {
    for (const decorate of decorators) decorate(target, key);
  };
}
