DROP TABLE "checkpoints";
DROP TABLE "worker_hosts";
ALTER TABLE "runner_jobs" DROP COLUMN "workdir_kept";
