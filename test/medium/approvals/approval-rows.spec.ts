import pg from 'pg';
import { createTestDatabase, type TestDatabase } from '#testing';
import { fillTenant, insertApproval, insertDecision, insertStep } from '../database/rows.js';

/** What the database itself holds on to, whatever a program has in mind. */
describe('the rows of approvals', () => {
  let database: TestDatabase;
  let owner: pg.Client;
  let tenant: Awaited<ReturnType<typeof fillTenant>>;
  beforeAll(async () => {
    database = await createTestDatabase();
    owner = new pg.Client({ connectionString: database.ownerUrl });
    await owner.connect();
    tenant = await fillTenant(owner);
  });
  beforeEach(() => owner.query('BEGIN'));
  afterEach(() => owner.query('ROLLBACK'));
  afterAll(async () => {
    await owner.end();
    await database.drop();
  });

  const REFUSED = { code: '23001', message: expect.stringContaining('approvals move by decisions only') };
  const move = (id: string, status: string): Promise<unknown> =>
    owner.query(`UPDATE approvals SET status = $2, decided_at = clock_timestamp() WHERE id = $1`, [id, status]);
  let ordinal = 1;
  const ask = async (changes: Record<string, unknown> = {}): Promise<string> => {
    const key = `gate-${++ordinal}`;
    const stepId = await insertStep(owner, tenant.workspaceId, tenant.jobId, { key, type: 'GATE', ordinal });
    return insertApproval(owner, tenant.workspaceId, tenant.jobId, stepId, changes);
  };
  const within = async (run: () => Promise<unknown>): Promise<unknown> => {
    await owner.query('SAVEPOINT here');
    return run().finally(() => owner.query('ROLLBACK TO here'));
  };

  it('become GRANTED with as many grants as they need, and not before', async () => {
    const id = await ask({ min_approvals: 2 });
    await insertDecision(owner, tenant.workspaceId, id);
    await insertDecision(owner, tenant.workspaceId, id, { decision: 'reject' });
    await expect(within(() => move(id, 'GRANTED'))).rejects.toMatchObject(REFUSED);
    await insertDecision(owner, tenant.workspaceId, id);
    await move(id, 'GRANTED');
    await move(id, 'VOID');
  });

  it('become REJECTED with a rejection, and not before', async () => {
    const id = await ask();
    await insertDecision(owner, tenant.workspaceId, id);
    await expect(within(() => move(id, 'REJECTED'))).rejects.toMatchObject(REFUSED);
    await insertDecision(owner, tenant.workspaceId, id, { decision: 'reject' });
    await move(id, 'REJECTED');
  });

  it('never move again once they have ended', async () => {
    for (const end of ['EXPIRED', 'CANCELLED']) {
      const id = await ask();
      await insertDecision(owner, tenant.workspaceId, id);
      await move(id, end);
      for (const status of ['PENDING', 'GRANTED', 'REJECTED', 'VOID', 'EXPIRED', 'CANCELLED'])
        await expect(within(() => move(id, status))).rejects.toMatchObject({
          code: expect.stringMatching(/^(23001|23514)$/),
        });
    }
  });

  it('never say anything else than what was asked, and never go away', async () => {
    const id = await ask();
    for (const change of [
      'subject = \'{"x": 1}\'',
      `subject_digest = repeat('b', 64)`,
      'min_approvals = 9',
      "approver_roles = '{x}'",
      "expires_at = now() + interval '9 days'",
      "scope = 'a.b'",
      'scope = scope',
    ])
      await expect(
        within(() => owner.query(`UPDATE approvals SET ${change} WHERE id = $1`, [id])),
      ).rejects.toMatchObject(REFUSED);
    await expect(within(() => owner.query('DELETE FROM approvals WHERE id = $1', [id]))).rejects.toMatchObject(REFUSED);
    await expect(within(() => owner.query('TRUNCATE approvals CASCADE'))).rejects.toMatchObject({ code: '23001' });
  });

  it('have one open question a gate', async () => {
    const id = await ask();
    const [{ step_id: stepId }] = (await owner.query('SELECT step_id FROM approvals WHERE id = $1', [id])).rows;
    await expect(within(() => insertApproval(owner, tenant.workspaceId, tenant.jobId, stepId))).rejects.toMatchObject({
      constraint: 'approvals_step_id_pending_key',
    });
  });

  it('are decided once by each actor, about the content that was asked for', async () => {
    const id = await ask();
    await insertDecision(owner, tenant.workspaceId, id, { actor_id: 'a' });
    const again = () => insertDecision(owner, tenant.workspaceId, id, { actor_id: 'a', decision: 'reject' });
    await expect(within(again)).rejects.toMatchObject({
      constraint: 'approval_decisions_approval_id_actor_type_actor_id_key',
    });
    const other = () => insertDecision(owner, tenant.workspaceId, id, { subject_digest: 'b'.repeat(64) });
    await expect(within(other)).rejects.toMatchObject({
      constraint: 'approval_decisions_approval_id_workspace_id_subject_digest_fkey',
    });
  });
});
