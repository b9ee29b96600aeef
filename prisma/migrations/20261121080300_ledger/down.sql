DROP FUNCTION runledger_erase_event_payload(uuid);
DROP FUNCTION runledger_create_event_partitions(integer);
DROP FUNCTION runledger_add_event_partition(text, text);
DROP FUNCTION runledger_uuid_at(timestamptz);
DROP TABLE "job_events";
DROP SCHEMA runledger_partitions;
DROP FUNCTION runledger_guard_event_update();
DROP FUNCTION runledger_refuse_change();
