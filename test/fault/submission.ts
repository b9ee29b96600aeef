import { openLink, statementTap, type AppProcess } from '#testing';
import { expectGuarantees } from './evidence.js';
import { measure } from './figures.js';
import type { FaultSystem } from './fault-system.js';
import { countedJob } from './workload.js';

/** The statement that makes a job true, and the end of its transaction. */
const SUBMISSION = /INSERT INTO runner_jobs/;

/**
 * The API is killed in the middle of a submission: when its commit is about to be sent, and when PostgreSQL has answered the commit but the
 * API has not read the answer. The client cannot tell the two apart: in the first case there is no job, in the second there is, and it runs.
 * Whoever submits again after the second has two jobs.
 */
export async function killApiInSubmission(system: FaultSystem): Promise<void> {
  const done = measure('API kill -9 around the commit of a submission', system.backend);
  await system.startWorker();
  const known = await jobIds(system);
  for (const moment of ['before', 'after'] as const) await submitAndDie(system, moment);

  const born = (await jobIds(system)).filter((id) => !known.includes(id));
  expect(born).toHaveLength(1);
  await system.startApi();
  const again = await system.submit([countedJob(system.marks, 0)]);
  expect(again).not.toEqual(born);
  done(2, 2, await expectGuarantees(system, [...born, ...again]));
}

async function submitAndDie(system: FaultSystem, moment: 'before' | 'after'): Promise<void> {
  for (const app of system.apps.filter(({ alive, ready }) => alive && ready['url'] !== undefined)) await app.stop();
  let api: AppProcess | null = null;
  let submitting = false;
  const isCommit = (text: string): boolean => {
    submitting ||= SUBMISSION.test(text);
    return submitting && /^COMMIT/i.test(text);
  };
  const dies = (when: typeof moment, text: string): boolean => {
    if (api === null || !isCommit(text) || when !== moment) return false;
    process.kill(api.pid, 'SIGKILL');
    return true;
  };
  const link = await openLink(system.postgres.apiUrl, () =>
    statementTap({ onSend: ({ text }) => !dies('before', text), onAnswer: ({ text }) => !dies('after', text) }),
  );
  api = await system.startApi({ databaseUrl: link.url });
  await expect(system.client.submit(countedJob(system.marks, 0))).rejects.toThrow(/cannot reach/);
  expect(await api.exited).toBe('SIGKILL');
  await link.close();
}

async function jobIds(system: FaultSystem): Promise<string[]> {
  return (await system.sql<{ id: string }>('SELECT id FROM runner_jobs')).map(({ id }) => id);
}
