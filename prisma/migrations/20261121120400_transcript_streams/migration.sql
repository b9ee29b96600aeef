-- Who wrote which bytes of a piece of live output: `o120 e34` is 120 bytes of standard output, then 34 of standard error.
-- Empty: all of it is standard output.
ALTER TABLE "transcript_chunks" ADD COLUMN "streams" TEXT NOT NULL DEFAULT '';

-- The digest of the index that says the same of a whole transcript; NULL where there is none, because all of it is standard output.
ALTER TABLE "sandbox_jobs" ADD COLUMN "transcript_streams_sha256" CHAR(64);
ALTER TABLE "sandbox_jobs" ADD CONSTRAINT "sandbox_jobs_transcript_streams_check"
  CHECK ("transcript_streams_sha256" ~ '^[0-9a-f]{64}$');

-- Secrets of jobs, sealed with a key that is not in the database. The API puts them in and can never read them; workers read them and
-- remove them when the job needs them no more.
CREATE TABLE "job_secrets" (
    "workspace_id" UUID NOT NULL,
    "job_id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    -- With workspace and name the identity that the ciphertext is bound to. It stays the same when a retry takes the secret over.
    "set_id" UUID NOT NULL,
    "ciphertext" BYTEA NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "job_secrets_pkey" PRIMARY KEY ("job_id","name"),
    CONSTRAINT "job_secrets_name_check" CHECK ("name" ~ '^[A-Za-z_][A-Za-z0-9_]{0,199}$')
);

ALTER TABLE "job_secrets" ADD CONSTRAINT "job_secrets_job_id_workspace_id_fkey"
  FOREIGN KEY ("job_id", "workspace_id") REFERENCES "runner_jobs"("id", "workspace_id") ON DELETE NO ACTION ON UPDATE NO ACTION;

ALTER TABLE "job_secrets" ENABLE ROW LEVEL SECURITY;
CREATE POLICY job_secrets_api ON "job_secrets" TO runledger_api
  USING ("workspace_id" = nullif(current_setting('runledger.workspace_id', true), '')::uuid);
CREATE POLICY job_secrets_worker ON "job_secrets" TO runledger_worker USING (true);
GRANT INSERT ON "job_secrets" TO runledger_api, runledger_worker;
GRANT SELECT, DELETE ON "job_secrets" TO runledger_worker;

-- Gives a job the secrets of an earlier one of the same workspace, which the transaction has named. It reads for the API's role what that
-- role may not read, and shows it nothing but how many there were.
CREATE FUNCTION runledger_copy_job_secrets(source_job uuid, target_job uuid)
RETURNS int
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
  WITH copied AS (
    INSERT INTO public.job_secrets (workspace_id, job_id, name, set_id, ciphertext)
    SELECT secret.workspace_id, target_job, secret.name, secret.set_id, secret.ciphertext
    FROM public.job_secrets AS secret
    WHERE secret.job_id = source_job
      AND secret.workspace_id = nullif(current_setting('runledger.workspace_id', true), '')::uuid
    RETURNING 1
  )
  SELECT count(*)::int FROM copied
$$;
REVOKE ALL ON FUNCTION runledger_copy_job_secrets(uuid, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION runledger_copy_job_secrets(uuid, uuid) TO runledger_api, runledger_worker;
