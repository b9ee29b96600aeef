DROP TABLE "transcript_chunks";
DROP TABLE "sandbox_jobs";
DROP TABLE "job_steps";
DROP TABLE "runner_jobs";
DROP TYPE "job_step_status";
DROP TYPE "job_step_type";
DROP TYPE "job_step_phase";
DROP TYPE "runner_job_status";
