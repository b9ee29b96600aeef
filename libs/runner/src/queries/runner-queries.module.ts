import { Module } from '@nestjs/common';
import { EventQueries } from '#ledger';
import { ApprovalQueries } from '../approvals/approval.queries.js';
import { DecideApproval } from '../approvals/decide-approval.js';
import { CancelJob } from '../cancel/cancel-job.js';
import { RetryJob } from '../retry/retry-job.js';
import { SubmitJob } from '../submit/submit-job.js';
import { WorkspaceSettings } from '../workspaces/workspace-settings.js';
import { ArtifactQueries } from './artifact.queries.js';
import { JobCounts } from './job-counts.js';
import { JobQueries } from './job.queries.js';
import { LiveQueries } from './live.queries.js';
import { TranscriptQueries } from './transcript.queries.js';
import { VerifyJob } from './verify-job.js';

const PARTS = [
  SubmitJob,
  WorkspaceSettings,
  CancelJob,
  RetryJob,
  EventQueries,
  JobQueries,
  JobCounts,
  ArtifactQueries,
  TranscriptQueries,
  LiveQueries,
  VerifyJob,
  ApprovalQueries,
  DecideApproval,
];

/** What an API process needs of the runner: to submit jobs and to read them. Needs DatabaseModule beside it. */
@Module({ providers: PARTS, exports: PARTS })
export class RunnerQueriesModule {}
