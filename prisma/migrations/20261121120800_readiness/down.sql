DROP FUNCTION runledger_work_stands_still(interval);
