import type { OutputChunk } from './types.js';

/**
 * Lets every byte of a transcript through once. After a reconnection the server repeats what it cannot know to have arrived;
 * the byte offset tells what is new.
 */
export class OutputSequence {
  private readonly seen = new Map<string, number>();

  /** @returns the chunk without what was seen before, or null when nothing is left */
  accept(chunk: OutputChunk): OutputChunk | null {
    const transcript = `${chunk.stepId}/${chunk.attempt}`;
    const bytes = Buffer.from(chunk.text, 'utf8');
    const end = chunk.offset + bytes.length;
    const seen = this.seen.get(transcript) ?? 0;
    if (end <= seen) return null;
    this.seen.set(transcript, end);
    if (chunk.offset >= seen) return chunk;
    return { ...chunk, offset: seen, text: bytes.subarray(seen - chunk.offset).toString('utf8') };
  }
}
