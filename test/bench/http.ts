import { Agent, request } from 'node:http';
import { text } from 'node:stream/consumers';
import type { BenchSystem } from './bench-system.js';

const agent = new Agent({ keepAlive: true, maxSockets: 64 });

/** One request over a kept connection. The benchmark shares the machine with what it measures, so it does as little as it can. */
export async function call<Answer>(system: BenchSystem, method: string, path: string, body?: object): Promise<Answer> {
  const response = await open(system, method, path, body);
  const answer = await text(response);
  if ((response.statusCode ?? 500) >= 300)
    throw new Error(`${method} ${path}: ${response.statusCode} ${answer.slice(0, 300)}`);
  return JSON.parse(answer) as Answer;
}

/** Resolves when the job's event stream says that it is over. */
export async function streamToEnd(system: BenchSystem, jobId: string): Promise<void> {
  const response = await open(system, 'GET', `/runner-jobs/${jobId}/events/stream`);
  for await (const chunk of response as AsyncIterable<Buffer>) if (chunk.includes('event: stream.complete')) break;
  response.destroy();
}

function open(
  { url, workspaceId, apiKey }: BenchSystem,
  method: string,
  path: string,
  body?: object,
): Promise<import('node:http').IncomingMessage> {
  const payload = body === undefined ? undefined : JSON.stringify(body);
  const headers = {
    authorization: `Bearer ${apiKey}`,
    ...(payload === undefined
      ? {}
      : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }),
  };
  return new Promise((resolve, reject) => {
    const sent = request(`${url}/v1/workspaces/${workspaceId}${path}`, { method, headers, agent }, resolve);
    sent.on('error', reject);
    sent.end(payload);
  });
}
