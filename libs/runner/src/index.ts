export { Admission, FIRST_WORKSPACE } from './admission/admission.js';
export { AdmissionPass } from './admission/admission-pass.js';
export { Reconciler } from './admission/reconciler.js';
export { JobRunner } from './engine/job-runner.js';
export type { WakeEnd } from './engine/job-runner.js';
export { INSTALLED_ACTIONS } from './executors/installed-actions.js';
export { RunnerWorkerModule, SANDBOX } from './runner-worker.module.js';
export { CancelJob, MAX_CANCEL_REASON_LENGTH } from './cancel/cancel-job.js';
export { APPROVAL_STATUSES } from './approvals/approval-status.js';
export type { ApprovalDecision, ApprovalStatus } from './approvals/approval-status.js';
export { ApprovalQueries } from './approvals/approval.queries.js';
export type { ApprovalDetailView, ApprovalListOptions, ApprovalView } from './approvals/approval.queries.js';
export { DecideApproval } from './approvals/decide-approval.js';
export type { Approver } from './approvals/decide-approval.js';
export { SubmitJob } from './submit/submit-job.js';
export type { Origin } from './submit/new-submission.js';
export { CANCEL_CHANNEL, SUBMITTED_CHANNEL } from './store/channels.js';
export type { Submitted } from './submit/submit-job.js';
export { foldJob } from './state/reduce.js';
export { JOB_STATUSES, STEP_STATUSES } from './state/job-state.js';
export type { JobState, JobStatus, StepState, StepStatus } from './state/job-state.js';
export type { JobDefinition } from './definition/definition.js';
export { parseJobDefinition, parseSubmission } from './definition/parse-job-definition.js';
export type { ParsedSubmission } from './definition/parse-job-definition.js';
export type { Secrets } from './definition/check-secrets.js';
export { SecretSealer } from './secrets/seal-secrets.js';
export type { SealedSecrets } from './secrets/seal-secrets.js';
export { copySecretsStatement } from './secrets/job-secrets.js';
export { MAX_BATCH_JOBS, parseJobBatch } from './definition/parse-job-batch.js';
export { newSummaryView } from './queries/job-views.js';
export { WAIT_REASONS } from './queries/waiting-for.js';
export type { WaitingForView } from './queries/waiting-for.js';
export { RetryJob } from './retry/retry-job.js';
export { WorkdirService } from './checkpoints/workdir-service.js';
export { isTerminalJob } from './state/job.machine.js';
export { RunnerQueriesModule } from './queries/runner-queries.module.js';
export type { JobFilter, JobListOptions } from './queries/job-list.js';
export { JobQueries } from './queries/job.queries.js';
export { newJobView } from './queries/job-views.js';
export type { ErrorView, JobSummaryView, JobView, StepView } from './queries/job-views.js';
export { ArtifactQueries } from './queries/artifact.queries.js';
export type {
  ArtifactFilter,
  ArtifactView,
  ExportedArtifact,
  ProjectFilter,
  StoredArtifact,
} from './queries/artifact.queries.js';
export { TranscriptQueries } from './queries/transcript.queries.js';
export type { LiveTranscriptPiece, TranscriptView } from './queries/transcript.queries.js';
export { LiveQueries } from './queries/live.queries.js';
export type { ChunkPosition, LiveView, OutputChunkView } from './queries/live.queries.js';
export { VerifyJob } from './queries/verify-job.js';
export type { VerifyView } from './queries/verify-job.js';
export { JobCounts } from './queries/job-counts.js';
export { WorkspaceSettings } from './workspaces/workspace-settings.js';
export type { WorkspaceView } from './workspaces/workspace-settings.js';
export { MAX_RUNNING_JOBS, parseWorkspaceChange } from './workspaces/workspace-change.js';
