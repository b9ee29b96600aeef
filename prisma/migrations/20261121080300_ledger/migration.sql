-- Refuses the statement or the row change that fired it. Shared by every append-only table.
CREATE FUNCTION runledger_refuse_change() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END
$$;

-- Ids are UUID v7, whose first 48 bits are milliseconds: a month is a range of job ids, and all events of one job lie in one
-- partition. (The unique keys therefore hold per job, which is all that the chain needs.)
CREATE TABLE "job_events" (
    "id" UUID NOT NULL,
    "workspace_id" UUID NOT NULL,
    "job_id" UUID NOT NULL,
    "step_id" UUID,
    "seq" INTEGER NOT NULL,
    "type" TEXT NOT NULL,
    "phase" "job_step_phase",
    "actor_type" TEXT NOT NULL,
    "actor_id" TEXT NOT NULL,
    "timestamp" TIMESTAMPTZ(3) NOT NULL,
    "payload" JSONB,
    "payload_erased_at" TIMESTAMPTZ(3),
    "payload_hash" CHAR(64) NOT NULL,
    "prev_hash" CHAR(64) NOT NULL,
    "hash" CHAR(64) NOT NULL,

    CONSTRAINT "job_events_pkey" PRIMARY KEY ("id","job_id"),
    CONSTRAINT "job_events_seq_check" CHECK ("seq" > 0),
    CONSTRAINT "job_events_payload_check" CHECK (("payload" IS NULL) = ("payload_erased_at" IS NOT NULL)),
    -- Lower-case hexadecimal, 64 digits each. By decoding, because three regular expressions were 32 of the 80 microseconds that an
    -- event took to insert, and this takes 3. (What is no hexadecimal at all is refused by decode itself.)
    CONSTRAINT "job_events_hashes_check" CHECK (
      octet_length("payload_hash" || "prev_hash" || "hash") = 192
      AND encode(decode("payload_hash" || "prev_hash" || "hash", 'hex'), 'hex') = "payload_hash" || "prev_hash" || "hash")
) PARTITION BY RANGE ("job_id");

CREATE UNIQUE INDEX "job_events_job_id_seq_key" ON "job_events"("job_id", "seq");
CREATE UNIQUE INDEX "job_events_job_id_prev_hash_key" ON "job_events"("job_id", "prev_hash");
CREATE INDEX "job_events_workspace_id_timestamp_idx" ON "job_events"("workspace_id", "timestamp");

-- Every event belongs to a job, and where it names a step, to a step of that job, in the same workspace. A statement at a time: as foreign
-- keys these were two row triggers an event, and 23 of the 50 microseconds that one took to insert. The other half of a foreign key,
-- that nothing with a history goes or changes its identity, are the triggers behind it.
CREATE FUNCTION runledger_check_event_owners() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF EXISTS (
    SELECT FROM (SELECT DISTINCT job_id, workspace_id FROM added) AS event
    WHERE NOT EXISTS (SELECT FROM public.runner_jobs AS job WHERE job.id = event.job_id AND job.workspace_id = event.workspace_id)
  ) THEN
    RAISE EXCEPTION 'an event names a job that its workspace does not have'
      USING ERRCODE = 'foreign_key_violation', TABLE = 'job_events', CONSTRAINT = 'job_events_job_id_workspace_id_fkey';
  END IF;
  IF EXISTS (
    SELECT FROM (SELECT DISTINCT step_id, job_id, workspace_id FROM added WHERE step_id IS NOT NULL) AS event
    WHERE NOT EXISTS (
      SELECT FROM public.job_steps AS step
      WHERE step.id = event.step_id AND step.job_id = event.job_id AND step.workspace_id = event.workspace_id)
  ) THEN
    RAISE EXCEPTION 'an event names a step that its job does not have'
      USING ERRCODE = 'foreign_key_violation', TABLE = 'job_events', CONSTRAINT = 'job_events_step_id_workspace_id_fkey';
  END IF;
  RETURN NULL;
END
$$;

CREATE FUNCTION runledger_keep_event_owner() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RAISE EXCEPTION '% of % refused: its history is append-only', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'restrict_violation', TABLE = 'job_events';
END
$$;

CREATE TRIGGER job_events_check_owners AFTER INSERT ON "job_events"
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION runledger_check_event_owners();
ALTER TABLE "job_events" ENABLE ALWAYS TRIGGER job_events_check_owners;

-- A job has its first event from the statement that makes it, so every job has a history.
CREATE TRIGGER runner_jobs_keep BEFORE DELETE ON "runner_jobs" FOR EACH ROW EXECUTE FUNCTION runledger_keep_event_owner();
CREATE TRIGGER runner_jobs_keep_identity BEFORE UPDATE OF "id", "workspace_id" ON "runner_jobs"
  FOR EACH ROW WHEN (OLD.id <> NEW.id OR OLD.workspace_id <> NEW.workspace_id) EXECUTE FUNCTION runledger_keep_event_owner();
CREATE TRIGGER job_steps_keep BEFORE DELETE ON "job_steps" FOR EACH ROW EXECUTE FUNCTION runledger_keep_event_owner();
CREATE TRIGGER job_steps_keep_identity BEFORE UPDATE OF "id", "job_id", "workspace_id" ON "job_steps"
  FOR EACH ROW WHEN (OLD.id <> NEW.id OR OLD.job_id <> NEW.job_id OR OLD.workspace_id <> NEW.workspace_id) EXECUTE FUNCTION runledger_keep_event_owner();
CREATE TRIGGER runner_jobs_keep_all BEFORE TRUNCATE ON "runner_jobs" FOR EACH STATEMENT EXECUTE FUNCTION runledger_keep_event_owner();
CREATE TRIGGER job_steps_keep_all BEFORE TRUNCATE ON "job_steps" FOR EACH STATEMENT EXECUTE FUNCTION runledger_keep_event_owner();

-- The only change that an event may ever see: its payload goes, and nothing else moves. The setting says that
-- runledger_erase_event_payload is at work; whoever sets it by hand can still do no more than that function does.
CREATE FUNCTION runledger_guard_event_update() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  expected public.job_events := OLD;
BEGIN
  expected.payload := NULL;
  expected.payload_erased_at := NEW.payload_erased_at;
  IF OLD.payload IS NOT NULL AND NEW.payload_erased_at IS NOT NULL AND NEW IS NOT DISTINCT FROM expected
     AND current_setting('runledger.erasing_event', true) = OLD.id::text THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'job_events is append-only: UPDATE refused' USING ERRCODE = 'restrict_violation';
END
$$;

-- ALWAYS: also where a session has switched ordinary triggers off (session_replication_role).
CREATE TRIGGER job_events_guard_update BEFORE UPDATE ON "job_events" FOR EACH ROW EXECUTE FUNCTION runledger_guard_event_update();
CREATE TRIGGER job_events_refuse_delete BEFORE DELETE ON "job_events" FOR EACH ROW EXECUTE FUNCTION runledger_refuse_change();
CREATE TRIGGER job_events_refuse_truncate BEFORE TRUNCATE ON "job_events" FOR EACH STATEMENT EXECUTE FUNCTION runledger_refuse_change();
ALTER TABLE "job_events" ENABLE ALWAYS TRIGGER job_events_guard_update;
ALTER TABLE "job_events" ENABLE ALWAYS TRIGGER job_events_refuse_delete;
ALTER TABLE "job_events" ENABLE ALWAYS TRIGGER job_events_refuse_truncate;

-- Partitions live in a schema of their own: out of reach of the runtime roles, who use the parent, and out of sight of Prisma,
-- which knows no partitions.
CREATE SCHEMA runledger_partitions;

-- The smallest UUID v7 of an instant.
CREATE FUNCTION runledger_uuid_at(instant timestamptz) RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT (lpad(to_hex((extract(epoch FROM instant) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;

-- Adds a partition to job_events; row triggers and indexes come from the parent, the TRUNCATE trigger does not.
CREATE FUNCTION runledger_add_event_partition(partition_name text, bounds text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  EXECUTE format('CREATE TABLE runledger_partitions.%I PARTITION OF public.job_events %s', partition_name, bounds);
  EXECUTE format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON runledger_partitions.%I '
                 'FOR EACH STATEMENT EXECUTE FUNCTION public.runledger_refuse_change()', partition_name);
  EXECUTE format('ALTER TABLE runledger_partitions.%I ENABLE ALWAYS TRIGGER refuse_truncate', partition_name);
  EXECUTE format('ALTER TABLE runledger_partitions.%I ENABLE ROW LEVEL SECURITY', partition_name);
END
$$;

-- Creates what is missing of the partitions for this month and the given number of months after it; returns how many it made.
-- A month whose events have already gone to the default partition stays there.
CREATE FUNCTION runledger_create_event_partitions(months_ahead integer) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  month_start timestamptz;
  first_id uuid;
  end_id uuid;
  partition_name text;
  created integer := 0;
BEGIN
  FOR offset_months IN 0..months_ahead LOOP
    month_start := (date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => offset_months)) AT TIME ZONE 'UTC';
    first_id := public.runledger_uuid_at(month_start);
    end_id := public.runledger_uuid_at((month_start AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC');
    partition_name := 'job_events_' || to_char(month_start AT TIME ZONE 'UTC', 'YYYY_MM');
    CONTINUE WHEN to_regclass(format('runledger_partitions.%I', partition_name)) IS NOT NULL;
    CONTINUE WHEN EXISTS (SELECT FROM runledger_partitions.job_events_default WHERE job_id >= first_id AND job_id < end_id);
    PERFORM public.runledger_add_event_partition(partition_name, format('FOR VALUES FROM (%L) TO (%L)', first_id, end_id));
    created := created + 1;
  END LOOP;
  RETURN created;
END
$$;

SELECT runledger_add_event_partition('job_events_default', 'DEFAULT');
SELECT runledger_create_event_partitions(1);

-- The privileged path that removes the payload of one event, for good, and leaves the chain verifiable: only the payload's hash is
-- part of it. False when there is no such event or its payload is gone already. Nobody but the owner may call it.
CREATE FUNCTION runledger_erase_event_payload(event_id uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  erased boolean;
BEGIN
  PERFORM set_config('runledger.erasing_event', event_id::text, true);
  UPDATE public.job_events SET payload = NULL, payload_erased_at = now() WHERE id = event_id AND payload IS NOT NULL;
  erased := FOUND;
  PERFORM set_config('runledger.erasing_event', '', true);
  RETURN erased;
END
$$;

REVOKE ALL ON FUNCTION runledger_refuse_change(), runledger_check_event_owners(), runledger_keep_event_owner(), runledger_guard_event_update(), runledger_uuid_at(timestamptz),
  runledger_add_event_partition(text, text), runledger_create_event_partitions(integer), runledger_erase_event_payload(uuid) FROM PUBLIC;
