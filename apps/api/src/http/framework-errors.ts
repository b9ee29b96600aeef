import { HttpException } from '@nestjs/common';
import { AppError, messageOf } from '#kernel';
import { notFound } from './problem.js';

/** An error object as Fastify and its plugins make them. */
interface FrameworkError {
  statusCode: number;
  code?: string;
  message: string;
}

/** Whatever was thrown, as an error of ours. What is not recognised is INTERNAL, with the original as its cause. */
export function toAppError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  if (thrown instanceof HttpException) return fromStatus(thrown.getStatus(), thrown.message, thrown);
  if (isFrameworkError(thrown)) return fromStatus(thrown.statusCode, thrown.message, thrown);
  return new AppError('INTERNAL', messageOf(thrown), { cause: thrown });
}

function isFrameworkError(thrown: unknown): thrown is FrameworkError {
  return thrown instanceof Error && 'statusCode' in thrown && typeof thrown.statusCode === 'number';
}

function fromStatus(status: number, message: string, cause: unknown): AppError {
  switch (status) {
    case 404:
      return notFound();
    case 413:
      return new AppError('PAYLOAD_TOO_LARGE', 'The body is larger than this operation takes (1 MiB, a batch 8 MiB).', {
        cause,
      });
    case 415:
      return new AppError(
        'UNSUPPORTED_MEDIA_TYPE',
        'Send the body as application/json or application/yaml, and say so in Content-Type.',
        { cause },
      );
    case 416:
      return new AppError('RANGE_NOT_SATISFIABLE', message, { cause });
    case 503:
      return new AppError('DATABASE_UNAVAILABLE', 'The server is stopping.', { retryable: true, cause });
    default:
      if (status >= 400 && status < 500) return new AppError('MALFORMED_BODY', message, { cause });
      return new AppError('INTERNAL', message, { cause });
  }
}
