// RUNLEDGER_API_KEY=... node verify-job.mjs http://127.0.0.1:3000 WORKSPACE_ID JOB_ID (the format: docs/ledger-format.md)
import assert from 'node:assert';
import { createHash } from 'node:crypto';

const sha256 = (text) => createHash('sha256').update(text).digest('hex');
const canonical = (value) => {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical)}]`;
  const keys = Object.keys(value).sort();
  return `{${keys.map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`)}}`;
};

/** Throws at the first event that does not fit. `job` must have been fetched before the events. */
export function verify(events, job) {
  let [seq, prevHash] = [0, '0'.repeat(64)];
  for (const { id: _handle, payload, hash, ...hashed } of events) {
    assert(hashed.seq === ++seq && hashed.prevHash === prevHash, `the chain breaks at event ${seq}`);
    assert(hashed.jobId === job.id && hashed.workspaceId === job.workspaceId, `event ${seq} is of another job`);
    assert(sha256(canonical(hashed)) === hash, `event ${seq} was changed`);
    assert(payload === null || sha256(canonical(payload)) === hashed.payloadHash, `payload ${seq} was changed`);
    assert(seq !== job.head.seq || hash === job.head.hash, `event ${seq} is not the recorded head`);
    prevHash = hash;
  }
  assert(seq >= job.head.seq, `event ${seq + 1} is missing`);
  assert(job.completedAt === null || seq === job.head.seq, `event ${job.head.seq + 1} was added`);
  return `valid: ${seq} events, head ${prevHash}`;
}

if (process.argv[1]?.endsWith('verify-job.mjs')) {
  const [server, workspace, id] = process.argv.slice(2);
  const headers = { authorization: `Bearer ${process.env.RUNLEDGER_API_KEY}` };
  const get = async (path) => {
    const answer = await fetch(`${server}/v1/workspaces/${workspace}/runner-jobs/${id}${path}`, { headers });
    return answer.ok ? answer.json() : assert.fail(`${answer.status} ${await answer.text()}`);
  };
  const [job, events] = [await get(''), []];
  for (let page, cursor = ''; cursor !== null; cursor = page.nextCursor && `&cursor=${page.nextCursor}`)
    events.push(...(page = await get(`/events?limit=500${cursor}`)).items);
  console.log(verify(events, { ...job, id, workspaceId: workspace }));
}
