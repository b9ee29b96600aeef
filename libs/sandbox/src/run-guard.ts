import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { SYSTEM_PATH } from './run-environment.js';

/** What is left to do for a run whose worker has died. */
export interface GuardedRun {
  /** `NAME=value` in the environment of its processes, or null. */
  tag: string | null;
  /** The folder of its control group, or null. */
  cgroup: string | null;
  /** Its private folder, to be removed. */
  scratch: string;
}

/** The word that sends the guard away; its input ending without it means that the worker has died. */
const DISMISSED = 'done';

/**
 * Kills the run's process group, then whatever its control group lists, then what carries its tag, with the groups of each, again and
 * again until three looks have found nothing: a process may fork while its parent is being killed, or not have taken its tag yet.
 * A zombie that nobody asks for may be listed for ever, hence the bound.
 */
const GUARD = `trap '' TERM INT HUP QUIT
tag=$1; cgroup=$2; scratch=$3
read -r root || :
read -r word || :
[ "$word" != ${DISMISSED} ] || exit 0
quiet=0; looks=0
while [ "$quiet" -lt 3 ] && [ "$looks" -lt 300 ]; do
  quiet=$((quiet + 1)); looks=$((looks + 1)); pids=
  if [ -n "$root" ]; then kill -s KILL -- "-$root" && quiet=0 || root=; fi
  if [ -n "$cgroup" ]; then
    echo 0 > "$cgroup/pids.max"
    [ ! -e "$cgroup/cgroup.kill" ] || echo 1 > "$cgroup/cgroup.kill"
    pids=$(cat "$cgroup/cgroup.procs")
  fi
  [ -z "$tag" ] || pids="$pids $(grep -lF -e "$tag" /proc/[0-9]*/environ)"
  for pid in $pids; do
    pid=\${pid#/proc/}; pid=\${pid%/environ}; quiet=0; stat=
    read -r stat < "/proc/$pid/stat"
    set -- \${stat##*) }
    [ "\${3:-0}" -le 1 ] || kill -s KILL -- "-$3"
    kill -s KILL "$pid"
  done
  sleep 0.1 || sleep 1
done
[ -z "$cgroup" ] || rmdir "$cgroup"
rm -rf -- "$scratch"`;

/**
 * A small shell beside the command, not above or below it: it sleeps on a pipe from the worker and, when that breaks because the worker
 * has died in whatever way, kills what the worker ran. In a session of its own, so that what ends the worker's or the command's does
 * not end it, and without tag or control group, so that it is none of the command's processes.
 */
export class RunGuard {
  private readonly exited: Promise<void>;

  /** To be called before the command is started. @throws the error of spawn(2) */
  static async start(run: GuardedRun): Promise<RunGuard> {
    const args = ['-c', GUARD, 'runledger-guard', run.tag ?? '', run.cgroup ?? '', run.scratch];
    const child = spawn('/bin/sh', args, {
      cwd: '/',
      // Bash reads ~/.bashrc when its input is a socket, which Node's pipes are, unless it is below another shell.
      env: { PATH: SYSTEM_PATH, SHLVL: '1' },
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    if (child.pid === undefined) {
      const [error] = (await once(child, 'error')) as [Error];
      throw error;
    }
    return new RunGuard(child);
  }

  private constructor(private readonly child: ChildProcess) {
    child.on('error', () => undefined);
    // A command without isolation may have killed it.
    child.stdin?.on('error', () => undefined);
    this.exited = new Promise((resolve) => child.once('exit', () => resolve()));
  }

  /** @param rootPid the command's outermost process, which leads a process group */
  watch(rootPid: number): void {
    this.child.stdin?.write(`${rootPid}\n`);
  }

  /** To be called after `watch`, when nothing of the run is left. */
  dismiss(): Promise<void> {
    return this.end(`${DISMISSED}\n`);
  }

  /** Has it kill what is left, as if the worker had died. */
  strike(): Promise<void> {
    return this.end('');
  }

  private async end(word: string): Promise<void> {
    this.child.stdin?.end(word);
    await this.exited;
    this.child.stdin?.destroy();
  }
}
