DROP TABLE "workers";
DROP TABLE "admission_keys";
DROP INDEX "runner_jobs_held_rate_limit_idx";
DROP INDEX "runner_jobs_rate_limit_idx";
DROP INDEX "runner_jobs_held_concurrency_idx";
DROP INDEX "runner_jobs_concurrency_idx";
DROP INDEX "runner_jobs_cancelling_idx";
DROP INDEX "runner_jobs_parked_idx";
DROP INDEX "runner_jobs_expiring_idx";
DROP INDEX "runner_jobs_delayed_idx";
DROP INDEX "runner_jobs_active_idx";
DROP INDEX "runner_jobs_ready_idx";
CREATE INDEX "runner_jobs_unfinished_idx" ON "runner_jobs"("status", "priority", "id")
  WHERE "status" IN ('PENDING', 'QUEUED', 'RUNNING');
CREATE OR REPLACE FUNCTION runledger_count_unfinished_jobs()
RETURNS TABLE (status public.runner_job_status, count int)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT known.status, count(job.id)::int
  FROM unnest(ARRAY['PENDING', 'QUEUED', 'RUNNING']::public.runner_job_status[]) AS known(status)
  LEFT JOIN public.runner_jobs AS job ON job.status = known.status AND job.status IN ('PENDING', 'QUEUED', 'RUNNING')
  GROUP BY known.status
$$;
