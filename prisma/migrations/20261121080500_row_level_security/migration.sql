-- Tenants never see each other, whatever a query forgets. The API's role sees the workspace that its transaction has named
-- (`set_config('runledger.workspace_id', ..., true)`), and nothing when it has named none. The worker's role serves all tenants.
-- The owner, who migrates, is not subject to the policies.

ALTER TABLE "workspaces" ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspaces_api ON "workspaces" TO runledger_api
  USING ("id" = nullif(current_setting('runledger.workspace_id', true), '')::uuid);
CREATE POLICY workspaces_worker ON "workspaces" TO runledger_worker USING (true);

ALTER TABLE "api_keys" ENABLE ROW LEVEL SECURITY;
CREATE POLICY api_keys_api ON "api_keys" TO runledger_api
  USING ("workspace_id" = nullif(current_setting('runledger.workspace_id', true), '')::uuid);
CREATE POLICY api_keys_worker ON "api_keys" TO runledger_worker USING (true);

ALTER TABLE "runner_jobs" ENABLE ROW LEVEL SECURITY;
CREATE POLICY runner_jobs_api ON "runner_jobs" TO runledger_api
  USING ("workspace_id" = nullif(current_setting('runledger.workspace_id', true), '')::uuid);
CREATE POLICY runner_jobs_worker ON "runner_jobs" TO runledger_worker USING (true);

ALTER TABLE "job_steps" ENABLE ROW LEVEL SECURITY;
CREATE POLICY job_steps_api ON "job_steps" TO runledger_api
  USING ("workspace_id" = nullif(current_setting('runledger.workspace_id', true), '')::uuid);
CREATE POLICY job_steps_worker ON "job_steps" TO runledger_worker USING (true);

ALTER TABLE "sandbox_jobs" ENABLE ROW LEVEL SECURITY;
CREATE POLICY sandbox_jobs_api ON "sandbox_jobs" TO runledger_api
  USING ("workspace_id" = nullif(current_setting('runledger.workspace_id', true), '')::uuid);
CREATE POLICY sandbox_jobs_worker ON "sandbox_jobs" TO runledger_worker USING (true);

ALTER TABLE "transcript_chunks" ENABLE ROW LEVEL SECURITY;
CREATE POLICY transcript_chunks_api ON "transcript_chunks" TO runledger_api
  USING ("workspace_id" = nullif(current_setting('runledger.workspace_id', true), '')::uuid);
CREATE POLICY transcript_chunks_worker ON "transcript_chunks" TO runledger_worker USING (true);

ALTER TABLE "job_events" ENABLE ROW LEVEL SECURITY;
CREATE POLICY job_events_api ON "job_events" TO runledger_api
  USING ("workspace_id" = nullif(current_setting('runledger.workspace_id', true), '')::uuid);
CREATE POLICY job_events_worker ON "job_events" TO runledger_worker USING (true);

ALTER TABLE "artifacts" ENABLE ROW LEVEL SECURITY;
CREATE POLICY artifacts_api ON "artifacts" TO runledger_api
  USING ("workspace_id" = nullif(current_setting('runledger.workspace_id', true), '')::uuid);
CREATE POLICY artifacts_worker ON "artifacts" TO runledger_worker USING (true);

ALTER TABLE "artifact_series" ENABLE ROW LEVEL SECURITY;
CREATE POLICY artifact_series_api ON "artifact_series" TO runledger_api
  USING ("workspace_id" = nullif(current_setting('runledger.workspace_id', true), '')::uuid);
CREATE POLICY artifact_series_worker ON "artifact_series" TO runledger_worker USING (true);

-- What each role may do: nobody deletes jobs, steps, events or artifacts, and nobody changes events or artifacts.
GRANT SELECT ON "workspaces", "api_keys", "runner_jobs", "job_steps", "sandbox_jobs", "transcript_chunks", "job_events", "artifacts",
  "artifact_series" TO runledger_api;
GRANT INSERT ON "runner_jobs", "job_steps", "job_events" TO runledger_api;
GRANT UPDATE ("last_used_at") ON "api_keys" TO runledger_api;
GRANT EXECUTE ON FUNCTION runledger_find_api_key(text) TO runledger_api;

GRANT SELECT ON "workspaces", "runner_jobs", "job_steps", "sandbox_jobs", "transcript_chunks", "job_events", "artifacts",
  "artifact_series" TO runledger_worker;
GRANT INSERT ON "runner_jobs", "job_steps", "sandbox_jobs", "transcript_chunks", "job_events", "artifacts", "artifact_series"
  TO runledger_worker;
GRANT UPDATE ON "runner_jobs", "job_steps", "sandbox_jobs", "artifact_series" TO runledger_worker;
GRANT DELETE ON "transcript_chunks" TO runledger_worker;
