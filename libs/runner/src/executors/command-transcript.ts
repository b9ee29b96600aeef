import { Readable } from 'node:stream';
import type { BlobInfo, BlobStore } from '#artifacts';
import { TranscriptRecorder, encodeRuns, type SandboxResult, type SecretMasker, type Transcript } from '#sandbox';
import type { CommandStepDefinition } from '../definition/definition.js';
import { streamsKey } from '../store/transcript-keys.js';
import type { SandboxJobRow } from '../store/transition.js';
import type { StepRun } from './executor.js';
import type { LiveOutput } from './live-output.js';

type Run = StepRun<CommandStepDefinition>;

/** A recorder of what the command of this attempt prints, shown live. */
export function recordTranscript(
  live: LiveOutput,
  { job, step, definition }: Run,
  execution: SandboxJobRow,
  masker: SecretMasker,
): TranscriptRecorder {
  let pieces = 0;
  return new TranscriptRecorder({
    maxBytes: definition.limits.outputKb * 1024,
    masker,
    onPiece: ({ offset, text, runs }) =>
      live.show({
        sandboxJobId: execution.id,
        workspaceId: job.state.workspaceId,
        jobId: job.id,
        stepId: step.id,
        seq: ++pieces,
        byteOffset: offset,
        text,
        streams: encodeRuns(runs),
      }),
  });
}

/** Stores a transcript and records how its command ended. */
export async function keepTranscript(
  blobs: BlobStore,
  { job, step }: Run,
  execution: SandboxJobRow,
  { result, transcript }: { result: SandboxResult; transcript: Transcript },
): Promise<void> {
  const ref = `${job.state.workspaceId}/transcripts/${execution.id}`;
  await blobs.put(ref, Readable.from([transcript.content]));
  const streams = await keepStreams(blobs, ref, transcript);
  const { exitCode, signal } = result;
  const { bytes, storedBytes, sha256, truncated } = transcript;
  job.record(
    'step.output',
    {
      ...{ attempt: step.attempt, sandboxJobId: execution.id, ref, bytes, storedBytes, sha256, truncated },
      ...{ exitCode, signal },
      ...(streams === null ? {} : { streamsRef: streams.key, streamsSha256: streams.sha256 }),
      ...(result.signalsSent.length === 0 ? {} : { signalsSent: result.signalsSent }),
      endedAt: result.endedAt,
      isolation: result.facts,
    },
    { step },
  );
  job.recordExecution({
    ...execution,
    status: exitCode === 0 && result.failure === null ? 'succeeded' : 'failed',
    startedAt: result.startedAt,
    endedAt: result.endedAt,
    durationMs: Date.parse(result.endedAt) - Date.parse(result.startedAt),
    ...{ exitCode, signal },
    failureCode: result.failure?.code ?? null,
    transcriptRef: ref,
    transcriptBytes: storedBytes,
    transcriptSha256: sha256,
    transcriptTruncated: truncated,
    transcriptStreamsSha256: streams?.sha256 ?? null,
    metadata: { ...result.facts, signalsSent: result.signalsSent.join(' ') },
  });
}

/** The index that tells the streams apart; null where all of it is standard output, as it mostly is. */
async function keepStreams(blobs: BlobStore, ref: string, { streams }: Transcript): Promise<BlobInfo | null> {
  return streams === null ? null : blobs.put(streamsKey(ref), Readable.from([streams]));
}
