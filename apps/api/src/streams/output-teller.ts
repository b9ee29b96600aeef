import { Logger } from '@nestjs/common';
import type { BlobStore } from '#artifacts';
import { messageOf } from '#kernel';
import type { EventPayloads, LedgerEvent } from '#ledger';
import type { ChunkPosition, OutputChunkView } from '#runner';
import { commentFrame, eventFrame } from './sse-frame.js';
import { splitByStream, storedPieces } from './transcript-pieces.js';

type StepOutput = EventPayloads['step.output'];

const logger = new Logger('streams');

/**
 * Tells one follower what the steps print: live chunks while there are some, and before a step's `step.output` event whatever of its stored
 * transcript has not been told yet.
 */
export class OutputTeller {
  private readonly keys: Map<string, string>;
  /** Bytes of transcript that were told, by execution. */
  private readonly told = new Map<string, number>();
  private readonly closed = new Set<string>();
  private seen: ChunkPosition | null = null;

  constructor(
    steps: { id: string; key: string }[],
    private readonly blobs: BlobStore,
  ) {
    this.keys = new Map(steps.map((step) => [step.id, step.key]));
  }

  /** The last live chunk that was told. */
  get position(): ChunkPosition | null {
    return this.seen;
  }

  /** What belongs before this event. */
  async *before(event: LedgerEvent): AsyncGenerator<string, void> {
    if (event.type !== 'step.output' || event.payload === null || event.stepId === null) return;
    // The catalogue gives this type this payload.
    const output = event.payload as StepOutput;
    this.closed.add(output.sandboxJobId);
    yield* this.rest(event.stepId, output);
  }

  /** Live chunks, but for those that the stored transcript has covered meanwhile. */
  *live(chunks: OutputChunkView[]): Generator<string, void> {
    for (const { sandboxJobId, seq, stepId, stepKey, attempt, offset, text, streams } of chunks) {
      this.seen = { sandboxJobId, seq };
      if (this.closed.has(sandboxJobId)) continue;
      for (const piece of splitByStream(text, offset, streams))
        yield eventFrame('output', { stepId, stepKey, attempt, ...piece });
      this.told.set(sandboxJobId, offset + Buffer.byteLength(text));
    }
  }

  private async *rest(stepId: string, output: StepOutput): AsyncGenerator<string, void> {
    const { sandboxJobId, ref, storedBytes, attempt } = output;
    const start = this.told.get(sandboxJobId) ?? 0;
    this.told.delete(sandboxJobId);
    try {
      const stored = { ref, sizeBytes: storedBytes, streamsRef: output.streamsRef ?? null };
      for await (const piece of storedPieces(this.blobs, stored, start))
        yield eventFrame('output', { stepId, stepKey: this.keys.get(stepId) ?? '', attempt, ...piece });
    } catch (error) {
      // The ledger matters more than the output: it goes on, and says what is missing.
      logger.error({ err: error, ref }, `a transcript cannot be read: ${messageOf(error)}`);
      yield commentFrame(`the transcript of step ${stepId} cannot be read at present`);
    }
  }
}
