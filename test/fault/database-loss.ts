import { expectGuarantees } from './evidence.js';
import { measure } from './figures.js';
import type { FaultSystem } from './fault-system.js';
import { someAreOver, submitHundreds } from './queue-loss.js';
import { scaled } from './scale.js';

/** PostgreSQL stops at once (`pg_ctl stop -m immediate`) and starts again: it recovers from its log. */
export async function crashPostgres(system: FaultSystem): Promise<void> {
  const done = measure('PostgreSQL restarted, immediate', system.backend);
  const faults = scaled({ short: 1, long: 3 });
  const ids = await submitHundreds(system);
  for (let fault = 0; fault < faults; fault += 1) {
    await someAreOver(system, ids, ((fault + 1) * ids.length) / (faults + 4));
    await system.postgres.crash();
    await system.postgres.restart();
  }
  done(ids.length, faults, await expectGuarantees(system, ids, 120_000));
  expect(system.apps.filter(({ alive }) => alive)).toHaveLength(3);
}
