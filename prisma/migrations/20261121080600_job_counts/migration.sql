-- The API's role sees one tenant at a time, but the numbers that a monitor reads are those of the whole installation. They name
-- no tenant. Only jobs that are not over are counted: the partial index holds them, so this costs what is in flight.
CREATE FUNCTION runledger_count_unfinished_jobs()
RETURNS TABLE (status public.runner_job_status, count int)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT known.status, count(job.id)::int
  FROM unnest(ARRAY['PENDING', 'QUEUED', 'RUNNING']::public.runner_job_status[]) AS known(status)
  LEFT JOIN public.runner_jobs AS job ON job.status = known.status AND job.status IN ('PENDING', 'QUEUED', 'RUNNING')
  GROUP BY known.status
$$;
REVOKE ALL ON FUNCTION runledger_count_unfinished_jobs() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION runledger_count_unfinished_jobs() TO runledger_api;
