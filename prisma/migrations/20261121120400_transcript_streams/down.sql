DROP FUNCTION runledger_copy_job_secrets(uuid, uuid);
DROP TABLE "job_secrets";
ALTER TABLE "sandbox_jobs" DROP COLUMN "transcript_streams_sha256";
ALTER TABLE "transcript_chunks" DROP COLUMN "streams";
