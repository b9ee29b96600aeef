/** The chapters of the API description, in reading order. */
export const TAGS = {
  identity: {
    name: 'Identity',
    description: 'Who the presented API key is, and what is decided for its whole workspace.',
  },
  jobs: { name: 'Jobs', description: 'Submit jobs and look at them and their steps.' },
  ledger: {
    name: 'Ledger',
    description: 'The immutable events of a job: read them, follow them live, prove that none is missing or forged.',
  },
  results: { name: 'Results', description: 'What steps printed and the files that they stored.' },
  artifacts: {
    name: 'Artifacts',
    description: 'The stored files of a workspace, whichever jobs they came from: versions, downloads, archives.',
  },
  approvals: {
    name: 'Approvals',
    description: 'Decisions that people take about the exact content that a gate names.',
  },
  schedules: { name: 'Schedules', description: 'Jobs that are submitted by the clock.' },
  operations: {
    name: 'Operations',
    description: 'Health and metrics, for the machines that watch this one. No key needed.',
  },
} as const;

export type TagName = keyof typeof TAGS;
