#!/bin/sh
# Runs once, when the database is created: the two roles that the processes log in as. They own nothing; the migrations grant
# them what they need. The owner (POSTGRES_USER) is for the migrations alone.
set -eu

: "${RUNLEDGER_API_DB_PASSWORD:?}" "${RUNLEDGER_WORKER_DB_PASSWORD:?}"

psql --no-psqlrc --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
  --set api_password="$RUNLEDGER_API_DB_PASSWORD" --set worker_password="$RUNLEDGER_WORKER_DB_PASSWORD" <<'SQL'
CREATE ROLE runledger_api LOGIN PASSWORD :'api_password';
CREATE ROLE runledger_worker LOGIN PASSWORD :'worker_password';
SQL
