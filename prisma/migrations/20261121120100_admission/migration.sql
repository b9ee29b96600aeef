-- Admission asks these questions all the time, and each must cost the same whether ten jobs wait or a hundred thousand.
-- Which jobs of a workspace may be admitted, in their order:
CREATE INDEX "runner_jobs_ready_idx" ON "runner_jobs"("workspace_id", "priority", "id")
  WHERE "status" = 'PENDING' AND "hold" IS NULL AND "cancel_requested_at" IS NULL;
-- Which jobs of a workspace, or of all, are on offer or being worked on:
CREATE INDEX "runner_jobs_active_idx" ON "runner_jobs"("status", "workspace_id", "priority")
  WHERE "status" IN ('QUEUED', 'RUNNING') AND "parked_at" IS NULL;
-- Every change of a job's status paid for this one, which nobody asks any more.
DROP INDEX "runner_jobs_unfinished_idx";
-- What becomes due: delayed jobs, jobs that expire, jobs that wait for something outside.
CREATE INDEX "runner_jobs_delayed_idx" ON "runner_jobs"("run_at") WHERE "status" = 'PENDING' AND "hold" = 'DELAY';
CREATE INDEX "runner_jobs_expiring_idx" ON "runner_jobs"("expires_at") WHERE "status" IN ('PENDING', 'QUEUED') AND "expires_at" IS NOT NULL;
CREATE INDEX "runner_jobs_parked_idx" ON "runner_jobs"("wake_at") WHERE "parked_at" IS NOT NULL;
-- Jobs that were to be cancelled and are not over yet:
CREATE INDEX "runner_jobs_cancelling_idx" ON "runner_jobs"("cancel_requested_at")
  WHERE "cancel_requested_at" IS NOT NULL AND "status" IN ('PENDING', 'QUEUED', 'RUNNING');
-- Who holds a concurrency key, oldest first, who waits for one, when the last jobs of a rate limit started, and who waits for it:
CREATE INDEX "runner_jobs_concurrency_idx" ON "runner_jobs"("workspace_id", "concurrency_key", "id")
  WHERE "concurrency_key" IS NOT NULL AND "status" IN ('QUEUED', 'RUNNING');
CREATE INDEX "runner_jobs_held_concurrency_idx" ON "runner_jobs"("workspace_id", "concurrency_key", "priority", "id")
  WHERE "status" = 'PENDING' AND "hold" = 'CONCURRENCY';
CREATE INDEX "runner_jobs_rate_limit_idx" ON "runner_jobs"("workspace_id", "rate_limit_key", "queued_at" DESC)
  WHERE "rate_limit_key" IS NOT NULL AND "queued_at" IS NOT NULL;
CREATE INDEX "runner_jobs_held_rate_limit_idx" ON "runner_jobs"("workspace_id", "rate_limit_key", "priority", "id")
  WHERE "status" = 'PENDING' AND "hold" = 'RATE_LIMIT';

-- The same numbers as before, each part from the index that holds just those jobs. What waits is counted one by one: readers keep the
-- answer for some seconds.
CREATE OR REPLACE FUNCTION runledger_count_unfinished_jobs()
RETURNS TABLE (status public.runner_job_status, count int)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT 'PENDING'::public.runner_job_status, (
    (SELECT count(*) FROM public.runner_jobs AS job WHERE job.status = 'PENDING' AND job.hold IS NULL AND job.cancel_requested_at IS NULL)
    + (SELECT count(*) FROM public.runner_jobs AS job
       WHERE job.status = 'PENDING' AND job.hold IS NULL AND job.cancel_requested_at IS NOT NULL AND job.status IN ('PENDING', 'QUEUED', 'RUNNING'))
    + (SELECT count(*) FROM public.runner_jobs AS job WHERE job.status = 'PENDING' AND job.hold = 'DELAY')
    + (SELECT count(*) FROM public.runner_jobs AS job WHERE job.status = 'PENDING' AND job.hold = 'CONCURRENCY')
    + (SELECT count(*) FROM public.runner_jobs AS job WHERE job.status = 'PENDING' AND job.hold = 'RATE_LIMIT'))::int
  UNION ALL
  SELECT 'QUEUED', count(*)::int FROM public.runner_jobs AS job
    WHERE job.status = 'QUEUED' AND job.status IN ('QUEUED', 'RUNNING') AND job.parked_at IS NULL
  UNION ALL
  SELECT 'RUNNING', (
    (SELECT count(*) FROM public.runner_jobs AS job
     WHERE job.status = 'RUNNING' AND job.status IN ('QUEUED', 'RUNNING') AND job.parked_at IS NULL)
    + (SELECT count(*) FROM public.runner_jobs AS job WHERE job.status = 'RUNNING' AND job.parked_at IS NOT NULL))::int
$$;

-- The keys that jobs wait for: a row is there while any does. `due_at` says when it is worth looking at again.
CREATE TABLE "admission_keys" (
    "workspace_id" UUID NOT NULL,
    "kind" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "due_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "admission_keys_pkey" PRIMARY KEY ("workspace_id", "kind", "key"),
    CONSTRAINT "admission_keys_kind_check" CHECK ("kind" IN ('CONCURRENCY', 'RATE_LIMIT')),
    CONSTRAINT "admission_keys_workspace_id_fkey" FOREIGN KEY ("workspace_id") REFERENCES "workspaces"("id") ON DELETE RESTRICT ON UPDATE NO ACTION
);
CREATE INDEX "admission_keys_due_at_idx" ON "admission_keys"("due_at");
ALTER TABLE "admission_keys" ENABLE ROW LEVEL SECURITY;
CREATE POLICY admission_keys_api ON "admission_keys" TO runledger_api
  USING ("workspace_id" = nullif(current_setting('runledger.workspace_id', true), '')::uuid);
CREATE POLICY admission_keys_worker ON "admission_keys" TO runledger_worker USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON "admission_keys" TO runledger_worker;

-- The worker processes that serve the queue, each seen every few seconds: what they can carry together is what admission fills.
CREATE TABLE "workers" (
    "id" TEXT NOT NULL,
    "host" TEXT NOT NULL,
    "concurrency" INTEGER NOT NULL,
    "started_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "seen_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "workers_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "workers_concurrency_check" CHECK ("concurrency" >= 1)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON "workers" TO runledger_worker;
GRANT SELECT ON "workers" TO runledger_api;
