REVOKE EXECUTE ON FUNCTION runledger_find_api_key(text) FROM runledger_api;

REVOKE ALL ON "artifact_series" FROM runledger_api, runledger_worker;
DROP POLICY artifact_series_worker ON "artifact_series";
DROP POLICY artifact_series_api ON "artifact_series";
ALTER TABLE "artifact_series" DISABLE ROW LEVEL SECURITY;

REVOKE ALL ON "artifacts" FROM runledger_api, runledger_worker;
DROP POLICY artifacts_worker ON "artifacts";
DROP POLICY artifacts_api ON "artifacts";
ALTER TABLE "artifacts" DISABLE ROW LEVEL SECURITY;

REVOKE ALL ON "job_events" FROM runledger_api, runledger_worker;
DROP POLICY job_events_worker ON "job_events";
DROP POLICY job_events_api ON "job_events";
ALTER TABLE "job_events" DISABLE ROW LEVEL SECURITY;

REVOKE ALL ON "transcript_chunks" FROM runledger_api, runledger_worker;
DROP POLICY transcript_chunks_worker ON "transcript_chunks";
DROP POLICY transcript_chunks_api ON "transcript_chunks";
ALTER TABLE "transcript_chunks" DISABLE ROW LEVEL SECURITY;

REVOKE ALL ON "sandbox_jobs" FROM runledger_api, runledger_worker;
DROP POLICY sandbox_jobs_worker ON "sandbox_jobs";
DROP POLICY sandbox_jobs_api ON "sandbox_jobs";
ALTER TABLE "sandbox_jobs" DISABLE ROW LEVEL SECURITY;

REVOKE ALL ON "job_steps" FROM runledger_api, runledger_worker;
DROP POLICY job_steps_worker ON "job_steps";
DROP POLICY job_steps_api ON "job_steps";
ALTER TABLE "job_steps" DISABLE ROW LEVEL SECURITY;

REVOKE ALL ON "runner_jobs" FROM runledger_api, runledger_worker;
DROP POLICY runner_jobs_worker ON "runner_jobs";
DROP POLICY runner_jobs_api ON "runner_jobs";
ALTER TABLE "runner_jobs" DISABLE ROW LEVEL SECURITY;

REVOKE ALL ON "api_keys" FROM runledger_api, runledger_worker;
DROP POLICY api_keys_worker ON "api_keys";
DROP POLICY api_keys_api ON "api_keys";
ALTER TABLE "api_keys" DISABLE ROW LEVEL SECURITY;

REVOKE ALL ON "workspaces" FROM runledger_api, runledger_worker;
DROP POLICY workspaces_worker ON "workspaces";
DROP POLICY workspaces_api ON "workspaces";
ALTER TABLE "workspaces" DISABLE ROW LEVEL SECURITY;
