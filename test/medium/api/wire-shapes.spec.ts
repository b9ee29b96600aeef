import type * as wire from '#client';
import type { LedgerEvent } from '#ledger';
import type {
  ApprovalDetailView,
  ApprovalView,
  ArtifactView,
  JobSummaryView,
  JobView,
  OutputChunkView,
  StepView,
  VerifyView,
  WorkspaceView,
} from '#runner';
import type { AuthenticatedKey } from '#identity';
import type { StreamPiece } from '../../../apps/api/src/streams/transcript-pieces.js';
import type { Problem } from '../../../apps/api/src/http/problem.js';

/** Compiles when the server's type gives the client's all that it promises, under the same names and no others. */
type Same<Server extends Client, Client> = keyof Server extends keyof Client ? true : never;

const SAME: true[] = [
  true satisfies Same<JobSummaryView, wire.RunnerJobSummary>,
  true satisfies Same<JobView, wire.RunnerJob>,
  true satisfies Same<StepView, wire.JobStep>,
  true satisfies Same<ArtifactView, wire.Artifact>,
  true satisfies Same<ApprovalView, wire.Approval>,
  true satisfies Same<ApprovalDetailView, wire.ApprovalDetail>,
  true satisfies Same<VerifyView, wire.VerifyReport>,
  true satisfies Same<WorkspaceView, wire.Workspace>,
  true satisfies Same<AuthenticatedKey, wire.Identity>,
  true satisfies Same<Problem, wire.Problem>,
  true satisfies Same<Omit<OutputChunkView, 'sandboxJobId' | 'seq' | 'streams'> & StreamPiece, wire.OutputChunk>,
];

/** Phases of stored events are text to the ledger; the client knows which there are. */
type WireEvent = Omit<wire.JobEvent, 'phase'> & { phase: string | null };
const SAME_EVENT: Same<LedgerEvent, WireEvent> = true;

it('gives clients what their types promise: the compiler has checked it', () => {
  expect([...SAME, SAME_EVENT]).not.toContain(false);
});
