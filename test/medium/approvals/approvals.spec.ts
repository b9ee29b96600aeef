import { appendFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { newId } from '#kernel';
import { digestOf, gateJob, startApprovals, workdirOf, type ApprovalSystem } from './approval-system.js';

describe('a gate that asks people', () => {
  let system: ApprovalSystem;
  let approver: string;
  beforeAll(async () => {
    system = await startApprovals();
    approver = await system.key('Maria');
  });
  afterAll(() => system.close());

  it('holds nobody while it waits, and goes on when it is granted', async () => {
    const jobId = await system.submit({
      name: 'release',
      steps: [
        ...(gateJob() as { steps: object[] }).steps,
        { key: 'after', type: 'COMMAND', run: 'echo "${{ steps.gate.outputs.approvedBy[0].name }}"' },
      ],
    });
    const approval = await system.pending(jobId);
    expect(approval).toMatchObject({
      ...{ jobId, stepKey: 'gate', scope: 'deploy.production', status: 'PENDING', grants: 0, minApprovals: 1 },
      ...{ jobName: 'release', requestedBy: { type: 'api_key', id: system.tenant.keyId, name: 'test key' } },
    });
    await system.parked(jobId);
    const [held] = await system.api.asOwner('SELECT lease_owner, status FROM runner_jobs WHERE id = $1', [jobId]);
    expect(held).toEqual({ lease_owner: null, status: 'RUNNING' });

    const granted = await system.decide(approval.id, 'grant', approver, 'fine with me');
    expect([granted.status, granted.body.status, granted.body.grants]).toEqual([200, 'GRANTED', 1]);
    const job = await system.ended(jobId);
    expect(job.status).toBe('COMPLETED');
    const keyId = granted.body.decisions[0]?.actor.id;
    expect(job.gate.outputs).toEqual({ approvalId: approval.id, approvedBy: [{ id: keyId, name: 'Maria' }] });
    expect(job.types.filter((type) => /^(gate|approval)\./.test(type))).toEqual([
      ...['gate.started', 'approval.requested', 'approval.granted', 'gate.passed'],
    ]);
    // One attempt: to wait is no interruption.
    expect(job.types.filter((type) => type === 'step.started')).toHaveLength(2);
    expect(job.events.find((event) => event.type === 'approval.granted')).toMatchObject({
      ...{ actorType: 'api_key', actorId: keyId },
      payload: {
        ...{ approvalId: approval.id, comment: 'fine with me', actorName: 'Maria' },
        ...{ subjectDigest: approval.subject.digest, grants: 1, minApprovals: 1 },
      },
    });
  });

  it('fails when one rejects it, and says who and why', async () => {
    const jobId = await system.submit(gateJob({ minApprovals: 3 }));
    const { id } = await system.pending(jobId);
    await system.decide(id, 'grant', system.tenant.key);
    expect((await system.decide(id, 'reject', approver, 'not on a Friday')).body).toMatchObject({
      status: 'REJECTED',
      grants: 1,
    });
    const job = await system.ended(jobId);
    expect([job.status, job.error]).toEqual([
      'FAILED',
      { code: 'APPROVAL_REJECTED', message: 'step "gate": rejected by "Maria": not on a Friday' },
    ]);
    expect(job.types).toEqual(expect.arrayContaining(['approval.granted', 'approval.rejected', 'gate.failed']));
  });

  it('fails when nobody decides in time', async () => {
    const jobId = await system.submit(gateJob({ expiresInSeconds: 1 }));
    const { id } = await system.pending(jobId);
    const job = await system.ended(jobId);
    expect([job.status, job.error?.code]).toEqual(['FAILED', 'GATE_EXPIRED']);
    expect(job.types.filter((type) => type === 'gate.expired')).toHaveLength(1);
    const late = await system.decide(id, 'grant', approver);
    expect([late.status, late.body.code, late.body.state]).toEqual([409, 'CONFLICT', 'EXPIRED']);
    expect((await system.get(`/${id}`)).body).toMatchObject({ status: 'EXPIRED', decidedAt: expect.any(String) });
  });

  it('goes on when as many as it needs have granted it', async () => {
    const jobId = await system.submit(gateJob({ minApprovals: 2 }));
    const { id } = await system.pending(jobId);
    expect((await system.decide(id, 'grant', approver)).body).toMatchObject({
      status: 'PENDING',
      grants: 1,
      decidedAt: null,
    });
    await system.parked(jobId);
    const second = await system.decide(id, 'grant', await system.key('Jon'));
    expect(second.body).toMatchObject({ status: 'GRANTED', grants: 2 });
    const job = await system.ended(jobId);
    expect(job.gate.outputs).toMatchObject({ approvedBy: [{ name: 'Maria' }, { name: 'Jon' }] });
  });

  it('looks at its condition first', async () => {
    const jobId = await system.submit(gateJob({}, { condition: 'job.priority == 99' }));
    const job = await system.ended(jobId);
    expect([job.status, job.error?.code]).toEqual(['FAILED', 'GATE_REJECTED']);
    expect(await system.api.asOwner('SELECT FROM approvals WHERE job_id = $1', [jobId])).toEqual([]);
    const other = await system.submit(gateJob({}, { condition: 'job.priority == 5' }));
    await system.decide((await system.pending(other)).id, 'grant', approver);
    expect((await system.ended(other)).status).toBe('COMPLETED');
  });

  describe('names the exact content', () => {
    const build =
      'mkdir -p dist && echo one > dist/a.txt && echo two > dist/b.txt && echo "tag=v1" >> "$RUNLEDGER_OUTPUT"';
    const subject = {
      summary: 'Version ${{ steps.build.outputs.tag }}',
      paths: ['dist/**'],
      artifacts: [{ kind: 'file', logicalKey: 'dist/a.txt' }],
      command: 'deploy',
    };
    const definition = {
      name: 'content',
      steps: [
        { key: 'build', type: 'COMMAND', run: build },
        { key: 'keep', type: 'ARTIFACT', paths: ['dist/a.txt'] },
        { key: 'gate', type: 'GATE', approval: { scope: 'deploy.production', subject } },
        {
          key: 'deploy',
          type: 'COMMAND',
          run: 'echo deploy ${{ steps.build.outputs.tag }} ${{ steps.gate.outputs.approvalId }}',
        },
      ],
    };
    const sha = (text: string): string => createHash('sha256').update(text).digest('hex');

    it('by digests that anybody can compute', async () => {
      const jobId = await system.submit(definition);
      const { id, subject } = await system.pending(jobId);
      expect(subject.summary).toBe('Version v1');
      expect(subject.files?.listed).toEqual([
        { path: 'dist/a.txt', sha256: sha('one\n'), sizeBytes: 4 },
        { path: 'dist/b.txt', sha256: sha('two\n'), sizeBytes: 4 },
      ]);
      expect(subject.files?.sha256).toBe(
        digestOf([
          ['dist/a.txt', sha('one\n'), 4],
          ['dist/b.txt', sha('two\n'), 4],
        ]),
      );
      expect(subject.artifacts?.listed).toMatchObject([
        { kind: 'file', logicalKey: 'dist/a.txt', version: 1, sha256: sha('one\n') },
      ]);
      // What is not known before the gate has passed is no part of it.
      expect(subject.command).toMatchObject({
        stepKey: 'deploy',
        values: [{ expression: 'steps.build.outputs.tag', value: 'v1' }],
      });
      const parts = {
        files: subject.files?.sha256 ?? null,
        command: subject.command?.sha256 ?? null,
        definition: null,
      };
      const artifacts = digestOf([['file', 'dist/a.txt', 1, sha('one\n'), 4]]);
      expect(subject.digest).toBe(digestOf({ v: 1, summary: 'Version v1', ...parts, artifacts }));

      await system.decide(id, 'grant', approver);
      const job = await system.ended(jobId);
      expect(job.status).toBe('COMPLETED');
      expect(job.events.find((event) => event.type === 'approval.requested')?.payload).toMatchObject({
        approvalId: id,
        subject,
      });
    });

    it('and asks again when it has changed since', async () => {
      const jobId = await system.submit(definition);
      const first = await system.pending(jobId);
      await system.parked(jobId);
      await appendFile(join(workdirOf(system, jobId), 'dist/b.txt'), 'smuggled in\n');
      expect((await system.decide(first.id, 'grant', approver)).body.status).toBe('GRANTED');

      const second = await system.pending(jobId);
      expect(second).toMatchObject({ status: 'PENDING', grants: 0, replacesId: first.id });
      expect(second.subject.digest).not.toBe(first.subject.digest);
      expect((await system.get(`/${first.id}`)).body).toMatchObject({ status: 'VOID' });
      expect((await system.decide(first.id, 'reject', system.tenant.key)).body).toMatchObject({
        code: 'CONFLICT',
        state: 'VOID',
      });

      await system.decide(second.id, 'grant', approver);
      const job = await system.ended(jobId);
      expect(job.status).toBe('COMPLETED');
      expect(job.gate.outputs).toMatchObject({ approvalId: second.id });
      const asked = job.events.filter((event) => event.type === 'approval.requested').map((event) => event.payload);
      expect(asked).toMatchObject([{ approvalId: first.id }, { approvalId: second.id, replaces: first.id }]);
      expect(asked[0]).not.toHaveProperty('replaces');
    });

    it('lists 200 files at most, and covers all of them', async () => {
      const run = 'mkdir many && for i in $(seq 1000 1300); do echo $i > many/$i; done';
      const asking = (paths: string[]) => gateJob({ subject: { paths } }) as { steps: object[] };
      const jobId = await system.submit({
        name: 'many',
        steps: [{ key: 'build', type: 'COMMAND', run }, ...asking(['many/*']).steps],
      });
      const { id, subject } = await system.pending(jobId);
      expect([subject.files?.count, subject.files?.listed.length]).toEqual([301, 200]);
      const entries = Array.from({ length: 301 }, (_, index) => [`many/${1000 + index}`, sha(`${1000 + index}\n`), 5]);
      expect(subject.files?.sha256).toBe(digestOf(entries));
      await system.parked(jobId);
      await appendFile(join(workdirOf(system, jobId), 'many/1300'), 'x');
      await system.decide(id, 'grant', approver);
      expect((await system.pending(jobId)).replacesId).toBe(id);
      await cancel(jobId);
    });

    it('or the definition of the job, when nothing else is named', async () => {
      const jobId = await system.submit(gateJob());
      const { subject } = await system.pending(jobId);
      const { body: job } = await system.api
        .http()
        .get(`${system.tenant.jobs}/${jobId}`)
        .auth(approver, { type: 'bearer' });
      expect(subject).toMatchObject({
        files: null,
        artifacts: null,
        command: null,
        definition: { sha256: digestOf(job.definition) },
      });
      await cancel(jobId);
    });

    it.each([
      ['files', { paths: ['none/*'] }],
      ['artifacts', { artifacts: [{ logicalKey: 'none' }] }],
    ])('and fails when there are no such %s', async (_, nothing) => {
      const job = await system.ended(await system.submit(gateJob({ subject: nothing })));
      expect([job.error?.code, job.error?.message]).toEqual([
        'ARTIFACT_NOT_FOUND',
        expect.stringContaining('nothing to approve'),
      ]);
    });
  });

  describe('decisions', () => {
    it('are recorded once a key: repeated they are answered as they were, and never changed', async () => {
      const jobId = await system.submit(gateJob({ minApprovals: 2 }));
      const { id } = await system.pending(jobId);
      const first = await system.decide(id, 'grant', approver, 'first');
      const again = await system.decide(id, 'grant', approver, 'second');
      expect([again.status, again.body]).toEqual([200, first.body]);
      const opposite = await system.decide(id, 'reject', approver);
      expect([opposite.status, opposite.body.code, opposite.body.state]).toEqual([409, 'CONFLICT', 'PENDING']);
      await system.decide(id, 'grant', system.tenant.key);
      expect(await system.decide(id, 'grant', approver)).toMatchObject({
        status: 200,
        body: { status: 'GRANTED', grants: 2 },
      });
      const late = await system.decide(id, 'grant', await system.key('late'));
      expect([late.status, late.body.state]).toEqual([409, 'GRANTED']);
      const job = await system.ended(jobId);
      expect(job.types.filter((type) => type === 'approval.granted')).toHaveLength(2);
    });

    it('are not for the key that submitted the job, where the workspace demands four eyes', async () => {
      const jobId = await system.submit(gateJob());
      const { id } = await system.pending(jobId);
      await system.api.asOwner('UPDATE workspaces SET require_four_eyes = true');
      try {
        for (const decision of ['grant', 'reject'] as const) {
          const own = await system.decide(id, decision, system.tenant.key);
          expect([own.status, own.body.code]).toEqual([403, 'FORBIDDEN']);
          expect(own.body.detail).toMatch(/four eyes/);
        }
        expect((await system.decide(id, 'grant', approver)).status).toBe(200);
        // Behind a job of a schedule stand who made it and who changed it.
        const scheduled = await system.submit(gateJob());
        const { id: other } = await system.pending(scheduled);
        const byApprover = [system.tenant.workspaceId, await keyIdOf(approver)];
        const [schedule] = await system.api.asOwner(
          `INSERT INTO schedules (id, workspace_id, name, cron, definition, created_by_type, created_by_id, updated_by_type, updated_by_id)
           VALUES (gen_random_uuid(), $1, 'nightly', '0 2 * * *', '{}', 'api_key', $2, 'api_key', 'another') RETURNING id`,
          byApprover,
        );
        await system.api.asOwner(`UPDATE runner_jobs SET schedule_id = $2 WHERE id = $1`, [
          scheduled,
          schedule?.['id'],
        ]);
        expect((await system.decide(other, 'grant', approver)).status).toBe(403);
        await system.api.asOwner('UPDATE schedules SET created_by_id = updated_by_id, updated_by_id = created_by_id');
        expect((await system.decide(other, 'grant', approver)).status).toBe(403);
        await system.api.asOwner('DELETE FROM schedules');
        expect((await system.decide(other, 'grant', approver)).body.detail).toMatch(/is gone/);
        await system.api.asOwner(`UPDATE runner_jobs SET schedule_id = NULL WHERE id = $1`, [scheduled]);
        expect((await system.decide(other, 'reject', approver)).status).toBe(200);
      } finally {
        await system.api.asOwner('UPDATE workspaces SET require_four_eyes = false');
      }
      expect((await system.ended(jobId)).status).toBe('COMPLETED');
    });

    it('are for keys with one of the roles that it names', async () => {
      const jobId = await system.submit(gateJob({ approverRoles: ['release-manager', 'owner'] }));
      const { id } = await system.pending(jobId);
      const other = await system.decide(id, 'grant', await system.key('dev', { roles: ['developer'] }));
      expect([other.status, other.body.detail]).toEqual([403, expect.stringContaining('"owner" or "release-manager"')]);
      expect((await system.decide(id, 'grant', await system.key('boss', { roles: ['x', 'owner'] }))).status).toBe(200);
      expect((await system.ended(jobId)).status).toBe('COMPLETED');
    });

    it('are refused once the job is cancelled', async () => {
      const jobId = await system.submit(gateJob());
      const { id } = await system.pending(jobId);
      await cancel(jobId);
      const late = await system.decide(id, 'grant', approver);
      expect([late.status, late.body.state]).toEqual([409, 'CANCELLED']);
      const job = await system.ended(jobId);
      expect(job.status).toBe('CANCELLED');
      expect(await system.api.asOwner('SELECT status FROM approvals WHERE id = $1', [id])).toEqual([
        { status: 'CANCELLED' },
      ]);
    });

    it('need the scope, a known approval and a sound body', async () => {
      const jobId = await system.submit(gateJob());
      const { id } = await system.pending(jobId);
      const reader = await system.key('reader', { scopes: ['jobs:read', 'jobs:write'] });
      expect((await system.decide(id, 'grant', reader)).body).toMatchObject({ code: 'FORBIDDEN' });
      const stranger = await system.api.tenant();
      const theirs = await system.decide(id, 'grant', stranger.key);
      const missing = await system.decide(newId(), 'grant', approver);
      expect([theirs.status, missing.status, theirs.text]).toEqual([404, 404, missing.text]);
      const path = stranger.jobs.replace('runner-jobs', 'approvals');
      const inTheirs = await system.api.http().post(`${path}/${id}/grant`).auth(stranger.key, { type: 'bearer' });
      expect(inTheirs.text).toBe(missing.text);
      expect((await system.get(`/${id}`, stranger.key)).text).toBe((await system.get(`/${newId()}`)).text);

      for (const comment of ['', 'x'.repeat(2_001), 'a\0b', '\ud800'])
        expect([comment, (await system.decide(id, 'grant', approver, comment)).status]).toEqual([comment, 422]);
      expect((await system.decide(id, 'grant', approver, 'x'.repeat(2_000))).status).toBe(200);
      expect((await system.ended(jobId)).status).toBe('COMPLETED');
    });
  });

  it('lists what waits, oldest first, and everything else newest first', async () => {
    const tenantJobs: string[] = [];
    for (const scope of ['a.one', 'a.two', 'a.one']) {
      const jobId = await system.submit(gateJob({ scope }));
      await system.pending(jobId);
      tenantJobs.push(jobId);
    }
    const jobsOf = async (query: string): Promise<string[]> =>
      (await system.get(query)).body.items.map((one) => one.jobId);
    expect(await jobsOf('')).toEqual(tenantJobs);
    expect(await jobsOf('?scope=a.one')).toEqual([tenantJobs[0], tenantJobs[2]]);
    const first = await system.get('?limit=2');
    expect(await jobsOf(`?limit=2&cursor=${first.body.nextCursor}`)).toEqual([tenantJobs[2]]);
    await system.decide(first.body.items[0]?.id ?? '', 'reject', approver);
    expect(await jobsOf('')).toEqual(tenantJobs.slice(1));
    expect((await jobsOf('?status=REJECTED'))[0]).toBe(tenantJobs[0]);
    const all = await system.get('?status=ALL&limit=200');
    expect(all.body.items.slice(0, 3).map((one) => one.jobId)).toEqual([...tenantJobs].reverse());
    await Promise.all(tenantJobs.slice(1).map(cancel));
    expect(await jobsOf('')).toEqual([]);
    expect((await jobsOf('?status=CANCELLED')).slice(0, 2)).toEqual([tenantJobs[2], tenantJobs[1]]);
    for (const wrong of ['?status=pending', '?jobId=x', '?cursor=x', '?colour=red'])
      expect([wrong, (await system.get(wrong)).status]).toEqual([wrong, 422]);
  });

  async function keyIdOf(key: string): Promise<string> {
    return (await system.api.http().get('/v1/me').auth(key, { type: 'bearer' })).body.keyId;
  }

  async function cancel(jobId: string): Promise<void> {
    const answer = await system.api
      .http()
      .post(`${system.tenant.jobs}/${jobId}/cancel`)
      .auth(system.tenant.key, { type: 'bearer' });
    expect(answer.status).toBe(202);
  }
});
