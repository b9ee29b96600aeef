import type { StepOutcome } from '../../../libs/runner/src/executors/executor.js';
import {
  gateJob,
  startApprovals,
  until,
  type Answer,
  type ApprovalBody,
  type ApprovalSystem,
} from './approval-system.js';

/** Of two who want to move an approval, one wins, and everybody finds that out: answers, rows, ledger and the job's end say the same. */
describe('who decides at the same time', () => {
  let system: ApprovalSystem;
  let maria: string;
  let jon: string;
  beforeAll(async () => {
    // Requests are to meet in the database, not in the queue for a connection.
    system = await startApprovals({ DATABASE_POOL_SIZE: '20' });
    [maria, jon] = [await system.key('Maria'), await system.key('Jon')];
  });
  afterAll(() => system.close());

  it('grants and rejects: one is recorded, the other hears how it ended', async () => {
    const wins = { GRANTED: 0, REJECTED: 0 };
    await jobs(16, gateJob(), async (approval) => {
      const [granted, rejected] = await Promise.all([
        system.decide(approval.id, 'grant', maria),
        system.decide(approval.id, 'reject', jon),
      ]);
      const winner = granted.status === 200 ? 'GRANTED' : 'REJECTED';
      wins[winner] += 1;
      expect([granted.status, rejected.status].sort()).toEqual([200, 409]);
      expect((granted.status === 409 ? granted : rejected).body.state).toBe(winner);
      const job = await system.ended(approval.jobId);
      expect([job.status, job.error?.code]).toEqual(
        winner === 'GRANTED' ? ['COMPLETED', undefined] : ['FAILED', 'APPROVAL_REJECTED'],
      );
      expect(job.types.filter((type) => /^approval\.(granted|rejected)$/.test(type))).toHaveLength(1);
      expect(await recorded(approval)).toEqual({ status: winner, decisions: 1 });
    });
    expect(wins.GRANTED + wins.REJECTED).toBe(16);
  });

  it('grants, where two are needed: both are recorded, and it is settled once', async () => {
    await jobs(16, gateJob({ minApprovals: 2 }), async (approval) => {
      const answers = await Promise.all([maria, jon].map((key) => system.decide(approval.id, 'grant', key)));
      expect(answers.map(({ status, body }) => [status, body.status, body.grants]).sort()).toEqual([
        [200, 'GRANTED', 2],
        [200, 'PENDING', 1],
      ]);
      const job = await system.ended(approval.jobId);
      expect(job.status).toBe('COMPLETED');
      const grants = job.events
        .filter((event) => event.type === 'approval.granted')
        .map((event) => event.payload['grants']);
      expect(grants).toEqual([1, 2]);
      expect(await recorded(approval)).toEqual({ status: 'GRANTED', decisions: 2 });
    });
  });

  it('grants with one key, twenty times: one decision, and twenty times the same answer', async () => {
    await jobs(2, gateJob(), async (approval) => {
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, n) => system.decide(approval.id, 'grant', maria, `no. ${n}`)),
      );
      expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
      expect(answers[0]?.status).toBe(200);
      const job = await system.ended(approval.jobId);
      expect(job.types.filter((type) => type === 'approval.granted')).toHaveLength(1);
      expect(await recorded(approval)).toEqual({ status: 'GRANTED', decisions: 1 });
    });
  });

  it('grants while somebody cancels: a grant that was answered came first, and the job ends all the same', async () => {
    const seen = new Set<number>();
    await jobs(24, gateJob({}, { timeoutSeconds: 60 }), async (approval, index) => {
      // Each gets a head start in turn, so that both orders happen.
      const [granted, cancelled] = await Promise.all([
        after(index % 3 === 0 ? 60 : 0, () => system.decide(approval.id, 'grant', maria)),
        after(index % 3 === 1 ? 60 : 0, () => cancel(approval.jobId)),
      ]);
      seen.add(granted.status);
      const job = await system.ended(approval.jobId);
      const at = (type: string): number => job.types.indexOf(type);
      if (granted.status === 200) {
        // Whoever cancels a job that has gone on to its end is told so.
        expect(cancelled).toBe(job.status === 'CANCELLED' ? 202 : 409);
        if (job.status === 'CANCELLED') expect(at('approval.granted')).toBeLessThan(at('job.cancel_requested'));
        expect(await recorded(approval)).toEqual({ status: 'GRANTED', decisions: 1 });
      } else {
        expect([granted.status, granted.body.state, cancelled, job.status]).toEqual([
          409,
          'CANCELLED',
          202,
          'CANCELLED',
        ]);
        expect([at('approval.granted'), at('gate.passed')]).toEqual([-1, -1]);
        expect(await recorded(approval)).toEqual({ status: 'CANCELLED', decisions: 0 });
      }
    });
    expect([...seen].sort()).toEqual([200, 409]);
  });

  it('grants when the time is over: by the one clock of the database it was in time, or it was not', async () => {
    const seen = new Set<number>();
    // Some well before, some well after, most at about the moment itself.
    const aim = (index: number): number => (index < 4 ? -1_200 : index > 20 ? 100 : (index - 16) * 3);
    await jobs(24, gateJob({ expiresInSeconds: 3 }), async (approval, index) => {
      const granted = await after(Date.parse(approval.expiresAt) - Date.now() + aim(index), () =>
        system.decide(approval.id, 'grant', maria),
      );
      seen.add(granted.status);
      const job = await system.ended(approval.jobId);
      if (granted.status === 200) {
        expect([job.status, job.types.includes('gate.expired')]).toEqual(['COMPLETED', false]);
        expect(await recorded(approval)).toEqual({ status: 'GRANTED', decisions: 1 });
      } else {
        expect([granted.body.state, job.error?.code, job.types.includes('approval.granted')]).toEqual([
          'EXPIRED',
          'GATE_EXPIRED',
          false,
        ]);
        expect(await recorded(approval)).toEqual({ status: 'EXPIRED', decisions: 0 });
      }
    });
    expect([...seen].sort()).toEqual([200, 409]);
  });

  it('grants after the gate has looked and before the job is let go of: the job goes on at once', async () => {
    const real = system.gate.execute.bind(system.gate);
    const looks: string[] = [];
    system.gate.execute = async (run): Promise<StepOutcome> => {
      const outcome = await real(run);
      looks.push(outcome.kind);
      if (looks.length === 1)
        expect((await system.decide((await system.pending(run.job.id)).id, 'grant', maria)).status).toBe(200);
      return outcome;
    };
    try {
      const job = await system.ended(await system.submit(gateJob({ expiresInSeconds: 3_600 })));
      expect([job.status, looks]).toEqual(['COMPLETED', ['waiting', 'completed']]);
      // The same worker went on with the same claim: the job was never parked.
      expect(job.types.filter((type) => type === 'phase.started')).toHaveLength(1);
    } finally {
      system.gate.execute = real;
    }
  });

  it('asks once, although the worker died after it had asked', async () => {
    const real = system.gate.execute.bind(system.gate);
    let asked = 0;
    system.gate.execute = async (run): Promise<StepOutcome> => {
      const outcome = await real(run);
      if (++asked > 1) return outcome;
      // As for a process that is gone: nothing more is written, and the lease runs out.
      run.job.lose();
      return { kind: 'lost' };
    };
    try {
      const jobId = await system.submit(gateJob());
      const { id } = await system.pending(jobId);
      await system.parked(jobId);
      expect((await system.decide(id, 'grant', maria)).status).toBe(200);
      const job = await system.ended(jobId);
      expect([job.status, job.gate.outputs]).toMatchObject(['COMPLETED', { approvalId: id }]);
      const once = ['gate.started', 'approval.requested', 'step.started', 'step.retrying'];
      expect(once.map((type) => job.types.filter((one) => one === type).length)).toEqual([1, 1, 1, 0]);
    } finally {
      system.gate.execute = real;
    }
  });

  /** So many jobs at once, and for each what is to happen once it waits. */
  async function jobs(
    count: number,
    definition: object,
    then: (approval: ApprovalBody, index: number) => Promise<void>,
  ): Promise<void> {
    const each = async (_: unknown, index: number): Promise<void> => {
      const approval = await system.pending(await system.submit(definition));
      await then(approval, index);
    };
    await Promise.all(Array.from({ length: count }, each));
  }

  async function cancel(jobId: string): Promise<number> {
    const sent = system.api
      .http()
      .post(`${system.tenant.jobs}/${jobId}/cancel`)
      .auth(system.tenant.key, { type: 'bearer' });
    return (await sent).status;
  }

  async function recorded({ id }: ApprovalBody): Promise<unknown> {
    return until(async () => {
      const [row] = await system.api.asOwner(
        'SELECT status, (SELECT count(*)::int FROM approval_decisions WHERE approval_id = a.id) AS decisions FROM approvals AS a WHERE id = $1',
        [id],
      );
      return row ?? null;
    });
  }
});

async function after<Value extends Answer | number>(ms: number, act: () => Promise<Value>): Promise<Value> {
  await new Promise((resolve) => setTimeout(resolve, ms));
  return act();
}
