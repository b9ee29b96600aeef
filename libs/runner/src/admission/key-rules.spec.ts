import type { JobRow } from '../store/job-rows.js';
import type { Candidate } from './candidate.js';
import { KeyRules } from './key-rules.js';

function candidate(id: string, onConflict: string, line: Candidate['line'] = null): Candidate {
  const row = {
    ...{ id, workspace_id: 'w', concurrency_key: 'k', concurrency_limit: 1, concurrency_on_conflict: onConflict },
    ...{ rate_limit_key: null, rate_limit_count: null, rate_limit_period_seconds: null, expires_at: null },
  };
  return { row: row as object as JobRow, line };
}

function rules(holders: string[], hasLine: boolean): KeyRules {
  const readAt = new Date();
  return new KeyRules(new Date(), {
    concurrency: [{ workspaceId: 'w', key: 'k', holders, hasLine, readAt }],
    rates: [],
  });
}

describe('a job with cancel-running whose key is taken', () => {
  const newcomer = candidate('new', 'cancel-running');

  it('has the holder cancelled when nobody waits before it', () => {
    expect(rules(['holder'], false).judge(newcomer)).toMatchObject({ kind: 'wait', cancel: ['holder'] });
  });

  it('has nobody cancelled while others wait before it', () => {
    expect(rules(['holder'], true).judge(newcomer)).toMatchObject({ kind: 'wait', cancel: [] });
  });

  it('has the holder cancelled as soon as it is the next in line', () => {
    const waiting = candidate('new', 'cancel-running', 'CONCURRENCY');
    expect(rules(['holder'], true).judge(waiting)).toMatchObject({ kind: 'wait', cancel: ['holder'] });
    expect(rules([], true).judge(waiting)).toEqual({ kind: 'admit' });
  });

  it('waits like others once somebody has joined in the same pass', () => {
    const pass = rules(['holder'], false);
    const first = candidate('first', 'queue');
    expect(pass.judge(first)).toMatchObject({ kind: 'wait', cancel: [] });
    pass.joined(first.row, 'CONCURRENCY');
    expect(pass.judge(newcomer)).toMatchObject({ kind: 'wait', cancel: [] });
  });
});
