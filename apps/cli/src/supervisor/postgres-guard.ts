/**
 * A process that does nothing but wait for the supervisor to vanish. When it was killed (SIGKILL leaves no time to clean up) the
 * API and the workers stop by themselves; the guard waits for them, because they still need the database, and then stops the server.
 */

const LONGEST_WAIT_MS = 60_000;
const POLL_MS = 100;

let server = 0;
let users: number[] = [];

process.on('message', (message: { server?: number; users?: number[] }) => {
  server = message.server ?? server;
  users = message.users ?? users;
});

process.once('disconnect', () => {
  const deadline = Date.now() + LONGEST_WAIT_MS;
  const polling = setInterval(() => {
    if (Date.now() < deadline && users.some((pid) => signal(pid, 0))) return;
    clearInterval(polling);
    // PostgreSQL's "fast" shutdown: what is committed is on disk.
    if (server > 0) signal(server, 'SIGINT');
  }, POLL_MS);
});

// The terminal's Ctrl-C does not come here (own process group); whoever sends a signal by hand does not mean the database.
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => undefined);

function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}
