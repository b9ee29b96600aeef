DROP FUNCTION runledger_find_api_key(text);
DROP TABLE "api_keys";
DROP TABLE "workspaces";
