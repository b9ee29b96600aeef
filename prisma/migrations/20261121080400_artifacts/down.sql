DROP TABLE "artifact_series";
DROP TABLE "artifacts";
