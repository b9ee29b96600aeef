import { Module } from '@nestjs/common';
import { EventQueries } from '#ledger';
import { SubmitJob } from '../submit/submit-job.js';
import { ArtifactQueries } from './artifact.queries.js';
import { JobCounts } from './job-counts.js';
import { JobQueries } from './job.queries.js';
import { LiveQueries } from './live.queries.js';
import { TranscriptQueries } from './transcript.queries.js';
import { VerifyJob } from './verify-job.js';

const PARTS = [
  SubmitJob,
  EventQueries,
  JobQueries,
  JobCounts,
  ArtifactQueries,
  TranscriptQueries,
  LiveQueries,
  VerifyJob,
];

/** What an API process needs of the runner: to submit jobs and to read them. Needs DatabaseModule beside it. */
@Module({ providers: PARTS, exports: PARTS })
export class RunnerQueriesModule {}
