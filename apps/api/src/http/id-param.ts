import { Param, type PipeTransform } from '@nestjs/common';
import { isId } from '#kernel';
import type { PathParameter } from '../openapi/path-parameters.js';
import { notFound } from './problem.js';

/** What is no UUID names nothing, and is answered like any other id of nothing. */
class IdPipe implements PipeTransform<string, string> {
  transform(value: string): string {
    if (!isId(value)) throw notFound();
    return value;
  }
}

const pipe = new IdPipe();

/** An id from the path. */
export function IdParam(name: PathParameter): ParameterDecorator {
  return Param(name, pipe);
}
