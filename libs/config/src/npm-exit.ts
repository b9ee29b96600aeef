import { readFileSync } from 'node:fs';

const POLL_MS = 250;

/**
 * Calls back once when this process was started by npm or npx, and npm or the shell between is gone. npm passes SIGTERM on to that shell,
 * and shells such as dash die of it without telling their child: without this, `kill` on npx would leave us running. In a process
 * that was not started by npm it never calls back.
 */
export function onNpmExit(callback: () => void): void {
  if (process.env['npm_lifecycle_event'] === undefined) return;
  const shell = process.ppid;
  const npm = parentOf(shell);
  const polling = setInterval(() => {
    if (process.ppid === shell && parentOf(shell) === npm) return;
    clearInterval(polling);
    callback();
  }, POLL_MS);
  polling.unref();
}

/** Field 4 of Linux's /proc/PID/stat, counted after the command's closing bracket; null elsewhere. */
function parentOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] ?? null;
  } catch {
    return null;
  }
}
