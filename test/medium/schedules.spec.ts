import { Logger } from '@nestjs/common';
import { Database, withOwner } from '#database';
import { newId } from '#kernel';
import { SubmitJob } from '#runner';
import { parseSchedule, Scheduler, Schedules, type ScheduleView } from '#schedules';
import { createTestDatabase, type TestDatabase } from '#testing';

const actor = { type: 'api_key' as const, id: 'key' };
const job = { name: 'tick', steps: [{ key: 'gate', type: 'GATE', condition: 'true' }] };
const NEVER_SOON = '0 0 1 1 *';

describe('schedules', () => {
  let database: TestDatabase;
  let api: Database;
  let workers: Database[];
  let schedules: Schedules;
  let workspaceId: string;

  beforeAll(async () => {
    Logger.overrideLogger(false);
    database = await createTestDatabase();
    api = new Database({ url: database.apiUrl, role: 'api', poolSize: 2 });
    workers = [1, 2, 3].map(() => new Database({ url: database.workerUrl, role: 'worker', poolSize: 3 }));
    schedules = new Schedules(api);
  });
  beforeEach(async () => {
    workspaceId = newId();
    await sql('INSERT INTO workspaces (id, name, slug) VALUES ($1, $2, $3)', [
      workspaceId,
      'Test',
      `test-${workspaceId}`,
    ]);
    await sql('UPDATE schedules SET next_run_at = NULL');
  });
  afterAll(async () => {
    await Promise.all([api, ...workers].map((each) => each.close()));
    await database.drop();
  });

  const sql = async (text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> =>
    withOwner(database.ownerUrl, async (client) => (await client.query(text, values)).rows);

  const create = (more: object = {}): Promise<ScheduleView> => {
    const spec = { name: `s-${newId()}`, cron: NEVER_SOON, job, ...more };
    return schedules.create(workspaceId, actor, parseSchedule(spec, new Set()));
  };
  /** As if its next time had been this long ago. */
  const due = (id: string, interval: string) =>
    sql(`UPDATE schedules SET next_run_at = date_trunc('second', now()) - $2::interval WHERE id = $1`, [id, interval]);
  const jobsOf = (id: string) => sql('SELECT * FROM runner_jobs WHERE schedule_id = $1 ORDER BY id', [id]);

  const withSchedulers = async (count: number, run: () => Promise<void>): Promise<void> => {
    const started = workers.slice(0, count).map((worker) => new Scheduler(worker, new SubmitJob(worker)));
    await Promise.all(started.map((scheduler) => scheduler.start()));
    try {
      await run();
    } finally {
      await Promise.all(started.map((scheduler) => scheduler.stop()));
    }
  };
  const until = async (ask: () => Promise<boolean>): Promise<void> => {
    for (const deadline = Date.now() + 15_000; !(await ask());) {
      if (Date.now() > deadline) throw new Error('it did not happen');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const settled = (id: string) =>
    until(async () => (await sql('SELECT 1 FROM schedules WHERE id = $1 AND next_run_at > now()', [id])).length === 1);

  it('fire each of their times once, on time, however many workers there are', async () => {
    await withSchedulers(3, async () => {
      const { id } = await create({ cron: '* * * * * *', overlap: 'queue' });
      await until(async () => (await jobsOf(id)).length >= 4);
      await schedules.setPaused(workspaceId, id, true);
      const jobs = await jobsOf(id);
      const created = await Promise.all(
        jobs.map(async (row) => {
          const [event] = await sql(
            'SELECT payload, actor_type, timestamp FROM job_events WHERE job_id = $1 AND seq = 1',
            [row['id']],
          );
          return event as {
            payload: { schedule: { scheduleId: string; scheduledFor: string } };
            actor_type: string;
            timestamp: Date;
          };
        }),
      );
      const times = created.map(({ payload }) => payload.schedule.scheduledFor);
      expect(new Set(times).size).toBe(times.length);
      const seconds = times.map((time) => Date.parse(time) / 1_000);
      expect(seconds.slice(1).map((second, index) => second - (seconds[index] ?? 0))).toEqual(
        seconds.slice(1).map(() => 1),
      );
      for (const { payload, actor_type, timestamp } of created) {
        expect([payload.schedule.scheduleId, actor_type]).toEqual([id, 'system']);
        expect(timestamp.getTime() - Date.parse(payload.schedule.scheduledFor)).toBeGreaterThanOrEqual(-50);
        expect(timestamp.getTime() - Date.parse(payload.schedule.scheduledFor)).toBeLessThan(1_000);
      }
      expect(await schedules.get(workspaceId, id)).toMatchObject({
        paused: true,
        nextRunAt: null,
        lastOutcome: 'SUBMITTED',
      });
    });
  }, 30_000);

  it.each([
    ['none', 0],
    ['latest', 1],
    ['all', 5],
  ])(
    'that were missed for five minutes catch up by their policy (%s: %i jobs)',
    async (catchUp, expected) => {
      // At half a minute, so that no time is due while the test runs.
      const { id } = await create({ cron: '30 * * * * *', overlap: 'queue', catchUp });
      await sql(
        `UPDATE schedules SET next_run_at = date_trunc('minute', now()) - interval '6 minutes 30 seconds' WHERE id = $1`,
        [id],
      );
      // The last of the six is at most 90 s old: without it, five are old enough to count as missed whatever the second.
      await withSchedulers(1, () => settled(id));
      const missed = (await jobsOf(id)).length;
      if (catchUp === 'all') expect(missed).toBeGreaterThanOrEqual(expected);
      else expect(missed - expected).toBeLessThanOrEqual(catchUp === 'none' ? 1 : 0);
      expect(await schedules.get(workspaceId, id)).toMatchObject({ version: 1 });
    },
    30_000,
  );

  it('skip a time at which the job before is not over, and say so', async () => {
    const { id } = await create({ overlap: 'skip' });
    await due(id, '1 second');
    // Nobody runs jobs here: the first stays PENDING. The cron has no time in this second, so both are catch-ups of its time a year ago.
    await withSchedulers(1, async () => {
      await settled(id);
    });
    const first = (await jobsOf(id)).length;
    await due(id, '400 days');
    await withSchedulers(1, () => settled(id));
    await due(id, '400 days');
    await withSchedulers(1, () => settled(id));
    expect(first).toBe(0);
    expect(await jobsOf(id)).toHaveLength(1);
    expect(await schedules.get(workspaceId, id)).toMatchObject({ lastOutcome: 'SKIPPED_OVERLAP' });
  }, 30_000);

  it.each([
    ['queue', 'queue'],
    ['cancel-previous', 'cancel-running'],
  ])(
    'with overlap %s give their jobs the concurrency rule %s',
    async (overlap, onConflict) => {
      const { id } = await create({ overlap });
      for (let round = 0; round < 2; round += 1) {
        await due(id, '400 days');
        await withSchedulers(1, () => settled(id));
      }
      const jobs = await jobsOf(id);
      expect(jobs).toHaveLength(2);
      for (const row of jobs)
        expect(row).toMatchObject({
          concurrency_key: `schedule:${id}`,
          concurrency_limit: 1,
          concurrency_on_conflict: onConflict,
        });
    },
    30_000,
  );

  it('do not pile up jobs without end', async () => {
    const { id } = await create({ cron: '* * * * * *', overlap: 'queue', catchUp: 'all' });
    await due(id, '10 minutes');
    await withSchedulers(1, () => settled(id));
    expect((await jobsOf(id)).length).toBe(100);
    await due(id, '5 seconds');
    await withSchedulers(1, () => settled(id));
    expect((await jobsOf(id)).length).toBe(100);
    expect(await schedules.get(workspaceId, id)).toMatchObject({ lastOutcome: 'SKIPPED_BACKLOG' });
  }, 30_000);

  it('whose job is not accepted any more say so and go on', async () => {
    await sql('UPDATE workspaces SET allow_network = true WHERE id = $1', [workspaceId]);
    const online = { name: 'online', steps: [{ key: 'get', type: 'COMMAND', run: 'true', network: 'full' }] };
    const { id } = await create({ job: online });
    await sql('UPDATE workspaces SET allow_network = false WHERE id = $1', [workspaceId]);
    await due(id, '400 days');
    await withSchedulers(1, () => settled(id));
    expect(await jobsOf(id)).toHaveLength(0);
    expect(await schedules.get(workspaceId, id)).toMatchObject({ lastOutcome: 'REFUSED' });
  }, 30_000);

  it('are changed only by who has seen the last version, have unique names, and belong to one workspace', async () => {
    const made = await create({ name: 'one' });
    await expect(create({ name: 'one' })).rejects.toMatchObject({ code: 'CONFLICT' });
    const spec = parseSchedule({ name: 'two', cron: '@daily', timeZone: 'Asia/Tokyo', job }, new Set());
    const changed = await schedules.replace(workspaceId, made.id, spec, [1], actor);
    expect(changed).toMatchObject({ name: 'two', version: 2, timeZone: 'Asia/Tokyo' });
    expect(changed?.nextRunAt).toMatch(/T15:00:00\.000Z$/);
    await expect(schedules.replace(workspaceId, made.id, spec, [1], actor)).rejects.toMatchObject({
      code: 'PRECONDITION_FAILED',
    });
    await expect(schedules.remove(workspaceId, made.id, [1])).rejects.toMatchObject({ code: 'PRECONDITION_FAILED' });

    const other = newId();
    await sql('INSERT INTO workspaces (id, name, slug) VALUES ($1, $2, $3)', [other, 'Other', `test-${other}`]);
    expect(await schedules.get(other, made.id)).toBeNull();
    expect(await schedules.replace(other, made.id, spec, null, actor)).toBeNull();
    expect(await schedules.remove(other, made.id, null)).toBe(false);
    expect(await schedules.list(other, null, 10)).toEqual([]);
    expect(await schedules.remove(workspaceId, made.id, [2])).toBe(true);
    expect(await schedules.get(workspaceId, made.id)).toBeNull();
  });

  it('are refused for what can never work, with every mistake named', () => {
    const refused = (more: object): string[] => {
      try {
        parseSchedule({ name: 'x', cron: '@daily', job, ...more }, new Set());
        return [];
      } catch (error) {
        return (error as { fields: { field: string; rule: string }[] }).fields.map(
          ({ field, rule }) => `${field} ${rule}`,
        );
      }
    };
    expect(refused({ cron: '0 0 30 2 *' })).toEqual(['cron neverFires']);
    expect(refused({ cron: 'soon', timeZone: 'Mars/Olympus' })).toEqual(['timeZone timeZone']);
    expect(refused({ name: '', overlap: 'pile', catchUp: 'some', paused: 'no', extra: 1 })).toEqual([
      'extra unknown',
      'name length',
      'overlap enum',
      'catchUp enum',
      'paused isBoolean',
    ]);
    expect(refused({ job: undefined })).toEqual(['job required']);
    expect(refused({ job: { name: 'x', steps: [{ key: 'a', type: 'GATE' }] } })[0]).toMatch(/^job\.steps\[0\]/);
    expect(refused({ job: { ...job, runAt: new Date(Date.now() + 1e6).toISOString() } })).toEqual([
      'job.runAt scheduled',
    ]);
    expect(refused({ overlap: 'queue', job: { ...job, concurrency: { key: 'k' } } })).toEqual([
      'job.concurrency scheduled',
    ]);
    expect(refused({ job: { ...job, concurrency: { key: 'k' } } })).toEqual([]);
  });
});
