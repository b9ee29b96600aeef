import { AppError, type JsonObject } from '#kernel';
import { parseOutputs } from '../outputs/parse-outputs.js';
import type { CommandFile } from './command-file.js';

/** More than the parser accepts, so that it is the parser that says so. */
const MAX_READ_BYTES = 128 * 1024;

/**
 * Reads and removes the file into which a command wrote its outputs.
 * @throws AppError OUTPUT_INVALID
 */
export async function takeOutputs(file: CommandFile): Promise<JsonObject> {
  try {
    const found = await file.read(MAX_READ_BYTES);
    if ('problem' in found) throw new AppError('OUTPUT_INVALID', `$RUNLEDGER_OUTPUT cannot be read: ${found.problem}`);
    return parseOutputs(found.text).outputs;
  } finally {
    await file.remove();
  }
}
