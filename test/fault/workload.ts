/**
 * One line for each attempt of a step that really ran, appended in one write: `job step attempt pid`. Outside of the workdir, where nobody
 * cleans up, so that what ran can be counted without asking Runledger.
 */
const MARK = 'echo "$RUNLEDGER_JOB_ID $RUNLEDGER_STEP_KEY $RUNLEDGER_ATTEMPT $$" >> "$MARKS"';

/** Four commands, one a phase, each of which leaves its mark. */
export function countedJob(marks: string, seconds: number): object {
  const command = (key: string, phase: string, sleep: number): object => ({
    ...{ key, phase, type: 'COMMAND' },
    run: `${MARK}; sleep ${sleep.toFixed(2)}`,
  });
  return {
    name: 'counted',
    env: { MARKS: marks },
    steps: [
      command('prepare', 'SETUP', 0),
      command('work', 'EXECUTION', seconds),
      command('check', 'VALIDATION', seconds / 4),
      command('tidy', 'CLEANUP', 0),
    ],
  };
}

/** Of different lengths between the two, so that a fault meets steps at every point of their life. */
export function countedJobs(count: number, marks: string, seconds: [least: number, most: number]): object[] {
  const [least, most] = seconds;
  return Array.from({ length: count }, (_, index) =>
    countedJob(marks, least + ((index * 7) % 10) * ((most - least) / 9)),
  );
}

/** Its work takes this long at the first attempt and no time at any other. */
export function lingeringJob(marks: string, firstSeconds: number): object {
  return {
    name: 'lingering',
    env: { MARKS: marks },
    // A step in every phase: whoever claims the job says so by its first event, `phase.started`.
    steps: [
      { key: 'begin', phase: 'SETUP', type: 'GATE', condition: 'true' },
      {
        ...{ key: 'work', type: 'COMMAND' },
        run: `${MARK}; if [ "$RUNLEDGER_ATTEMPT" = 1 ]; then sleep ${firstSeconds}; else sleep 0.5; fi`,
      },
      { key: 'check', phase: 'VALIDATION', type: 'GATE', condition: 'true' },
      { key: 'tidy', phase: 'CLEANUP', type: 'COMMAND', run: MARK },
    ],
  };
}

/** Leaves no mark, but its processes can be told from all others by the path in their environment. */
export function sandboxedJob(marks: string): object {
  return {
    name: 'sandboxed',
    env: { MARKS: marks },
    steps: [
      {
        ...{ key: 'work', type: 'COMMAND' },
        run: `if [ "$RUNLEDGER_ATTEMPT" = 1 ]; then (trap '' TERM; sleep 300) & sleep 300; fi`,
      },
      { key: 'tidy', phase: 'CLEANUP', type: 'COMMAND', run: 'true' },
    ],
  };
}

/** Every kind of commit that a job's life has: commands in two phases, a gate, an artifact, and a hand-over between all of them. */
export function everyCommitJob(marks: string): object {
  return {
    name: 'every commit',
    env: { MARKS: marks },
    steps: [
      { key: 'make', phase: 'SETUP', type: 'COMMAND', run: `${MARK}; echo made > made.txt` },
      { key: 'work', type: 'COMMAND', run: `${MARK}; echo "answer=42" >> "$RUNLEDGER_OUTPUT"` },
      { key: 'keep', type: 'ARTIFACT', paths: ['made.txt'] },
      { key: 'check', phase: 'VALIDATION', type: 'GATE', condition: 'steps.work.outputs.answer == "42"' },
      { key: 'tidy', phase: 'CLEANUP', type: 'COMMAND', run: MARK },
    ],
  };
}
