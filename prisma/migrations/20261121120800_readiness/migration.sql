-- Does work wait that nobody begins? One answer for the whole installation, which names no tenant. The cheap questions come first: a system
-- that has begun something just now, or whose workers have their hands full, is asked no more.
CREATE FUNCTION runledger_work_stands_still(patience interval)
RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
  WITH active AS MATERIALIZED (
    SELECT started_at, lease_expires_at > now() AS held, coalesce(lease_expires_at, updated_at) < now() - patience AS waits
    FROM public.runner_jobs
    WHERE status IN ('QUEUED', 'RUNNING') AND parked_at IS NULL
  )
  SELECT CASE
    WHEN EXISTS (SELECT FROM active WHERE started_at > now() - patience) THEN false
    WHEN (SELECT count(*) FROM active WHERE held) >= nullif(
      (SELECT sum(concurrency) FROM public.workers WHERE seen_at > now() - interval '15 seconds'), 0) THEN false
    WHEN EXISTS (SELECT FROM active WHERE waits) THEN true
    ELSE EXISTS (
      SELECT FROM public.workspaces AS workspace
      WHERE EXISTS (
        SELECT FROM public.runner_jobs AS job
        WHERE job.workspace_id = workspace.id
          -- What is held back waits on purpose.
          AND job.status = 'PENDING' AND job.hold IS NULL AND job.cancel_requested_at IS NULL
          AND greatest(job.created_at, job.run_at) < now() - patience
      ) AND (workspace.max_running_jobs IS NULL OR workspace.max_running_jobs > (
        SELECT count(*) FROM public.runner_jobs AS job
        WHERE job.workspace_id = workspace.id AND job.status IN ('QUEUED', 'RUNNING') AND job.parked_at IS NULL))
    )
  END
$$;
REVOKE ALL ON FUNCTION runledger_work_stands_still(interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION runledger_work_stands_still(interval) TO runledger_api;
