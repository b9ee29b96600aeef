DROP FUNCTION runledger_count_unfinished_jobs();
