-- What a job may ask for beside its steps: when to run, with what, how often, and where it came from. All of it is told by
-- `job.created` and folds into the row.
ALTER TABLE "runner_jobs"
  ADD COLUMN "project_id" UUID,
  ADD COLUMN "tags" TEXT[] NOT NULL DEFAULT ARRAY[]::TEXT[],
  ADD COLUMN "metadata" JSONB NOT NULL DEFAULT '{}',
  ADD COLUMN "run_at" TIMESTAMPTZ(3),
  ADD COLUMN "expires_at" TIMESTAMPTZ(3),
  ADD COLUMN "concurrency_key" TEXT,
  ADD COLUMN "concurrency_limit" INTEGER,
  ADD COLUMN "concurrency_on_conflict" TEXT,
  ADD COLUMN "rate_limit_key" TEXT,
  ADD COLUMN "rate_limit_count" INTEGER,
  ADD COLUMN "rate_limit_period_seconds" INTEGER,
  ADD COLUMN "retry_of_id" UUID,
  ADD COLUMN "schedule_id" UUID,
  ADD COLUMN "cancel_requested_at" TIMESTAMPTZ(3),
  ADD COLUMN "progress_message" TEXT,
  -- Delivery, no part of the history: why a PENDING job is not looked at, and since when a RUNNING one waits for something outside.
  ADD COLUMN "hold" TEXT,
  ADD COLUMN "parked_at" TIMESTAMPTZ(3),
  ADD COLUMN "wake_at" TIMESTAMPTZ(3),
  -- The host whose disk has the workdir, where hosts do not share their blobs.
  ADD COLUMN "workdir_host" TEXT,
  ADD CONSTRAINT "runner_jobs_concurrency_check" CHECK (
    ("concurrency_key" IS NULL) = ("concurrency_limit" IS NULL) AND ("concurrency_key" IS NULL) = ("concurrency_on_conflict" IS NULL)
    AND char_length("concurrency_key") BETWEEN 1 AND 200 AND "concurrency_limit" >= 1
    AND "concurrency_on_conflict" IN ('queue', 'skip', 'cancel-running')),
  ADD CONSTRAINT "runner_jobs_rate_limit_check" CHECK (
    ("rate_limit_key" IS NULL) = ("rate_limit_count" IS NULL) AND ("rate_limit_key" IS NULL) = ("rate_limit_period_seconds" IS NULL)
    AND char_length("rate_limit_key") BETWEEN 1 AND 200 AND "rate_limit_count" >= 1 AND "rate_limit_period_seconds" >= 1),
  ADD CONSTRAINT "runner_jobs_hold_check" CHECK ("hold" IN ('DELAY', 'CONCURRENCY', 'RATE_LIMIT')),
  ADD CONSTRAINT "runner_jobs_parked_check" CHECK ("parked_at" IS NULL OR ("status" = 'RUNNING' AND "lease_owner" IS NULL));

ALTER TABLE "job_steps"
  ADD COLUMN "interruptions" INTEGER NOT NULL DEFAULT 0,
  ADD COLUMN "retry_at" TIMESTAMPTZ(3),
  ADD CONSTRAINT "job_steps_interruptions_check" CHECK ("interruptions" BETWEEN 0 AND "attempt");

-- What can be decided for a whole workspace.
ALTER TABLE "workspaces"
  ADD COLUMN "max_running_jobs" INTEGER,
  ADD COLUMN "require_four_eyes" BOOLEAN NOT NULL DEFAULT false,
  ADD COLUMN "allow_network" BOOLEAN NOT NULL DEFAULT false,
  ADD CONSTRAINT "workspaces_max_running_jobs_check" CHECK ("max_running_jobs" >= 1);

-- A retry names a job of the same tenant.
ALTER TABLE "runner_jobs" ADD CONSTRAINT "runner_jobs_retry_of_id_workspace_id_fkey"
  FOREIGN KEY ("retry_of_id", "workspace_id") REFERENCES "runner_jobs"("id", "workspace_id") ON DELETE NO ACTION ON UPDATE NO ACTION;
CREATE INDEX "runner_jobs_retry_of_id_idx" ON "runner_jobs"("retry_of_id") WHERE "retry_of_id" IS NOT NULL;
CREATE INDEX "runner_jobs_project_id_idx" ON "runner_jobs"("workspace_id", "project_id", "id" DESC) WHERE "project_id" IS NOT NULL;
CREATE INDEX "runner_jobs_schedule_id_idx" ON "runner_jobs"("schedule_id", "id" DESC) WHERE "schedule_id" IS NOT NULL;

-- Tags and scalar metadata of jobs, one row each (`tag=release`, `meta.customer=acme`), so that a search reads its page from one index
-- in the order of the list, however many jobs carry the word. A GIN index would have to sort all of them.
CREATE TABLE "job_terms" (
    "workspace_id" UUID NOT NULL,
    "term" TEXT NOT NULL,
    "job_id" UUID NOT NULL,

    CONSTRAINT "job_terms_pkey" PRIMARY KEY ("workspace_id", "term", "job_id"),
    CONSTRAINT "job_terms_job_id_workspace_id_fkey" FOREIGN KEY ("job_id", "workspace_id") REFERENCES "runner_jobs"("id", "workspace_id")
      ON DELETE NO ACTION ON UPDATE NO ACTION
);
ALTER TABLE "job_terms" ENABLE ROW LEVEL SECURITY;
CREATE POLICY job_terms_api ON "job_terms" TO runledger_api
  USING ("workspace_id" = nullif(current_setting('runledger.workspace_id', true), '')::uuid);
CREATE POLICY job_terms_worker ON "job_terms" TO runledger_worker USING (true);
GRANT SELECT, INSERT ON "job_terms" TO runledger_api, runledger_worker;

-- A request for cancellation and a decision are events that the API appends itself, behind the row's lock: the head of the chain moves,
-- and a job that waits is woken. Status, result and lease stay the worker's.
GRANT UPDATE ("head_seq", "head_hash", "version", "updated_at", "cancel_requested_at", "wake_at") ON "runner_jobs" TO runledger_api;
GRANT UPDATE ("max_running_jobs", "require_four_eyes", "allow_network", "version", "updated_at") ON "workspaces" TO runledger_api;
