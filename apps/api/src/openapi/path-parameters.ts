const uuid = { type: 'string', format: 'uuid' } as const;

/** The ids in paths. They carry no example: a made-up id would only ever answer 404. */
export const PATH_PARAMETERS = {
  workspaceId: { description: 'The workspace: `GET /v1/me` tells yours.', schema: uuid },
  jobId: { description: 'The job.', schema: uuid },
  stepId: { description: 'The step, by id.', schema: uuid },
  artifactId: { description: 'The artifact.', schema: uuid },
  scheduleId: { description: 'The schedule.', schema: uuid },
  approvalId: { description: 'The approval.', schema: uuid },
} as const;

export type PathParameter = keyof typeof PATH_PARAMETERS;
