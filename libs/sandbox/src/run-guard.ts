import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { SYSTEM_PATH } from './run-environment.js';

/** What is left to do for a run whose worker has died. */
export interface GuardedRun {
  /** `NAME=value` in the environment of its processes, or null. */
  tag: string | null;
  /** The folders of its control groups. */
  cgroups: readonly string[];
  /** Its private folder, to be removed. */
  scratch: string;
  /** A program and its arguments that end what a shell cannot reach; empty where there is nothing of the kind. */
  farewell: readonly string[];
}

/** The word that sends the guard away; its input ending without it means that the worker has died. */
const DISMISSED = 'done';

/**
 * Kills what descends from the run's outermost process, before that process: where it inherits the orphans of the run, they stay below
 * it as long as it lives. Then its process group, whatever its control groups list, and what carries its tag, with the groups of each,
 * again and again until three looks have found nothing: a process may fork while its parent is being killed, or not have taken its tag
 * yet. A zombie that nobody asks for may be listed for ever, hence the bound.
 */
const GUARD = `trap '' TERM INT HUP QUIT
tag=$1; scratch=$2; shift 2; cgroups=
while [ "$1" != -- ]; do cgroups="$cgroups $1"; shift; done
shift
read -r root || :
read -r word || :
[ "$word" != ${DISMISSED} ] || exit 0
[ $# -eq 0 ] || "$@"

descendants() {
  below=" $root "; before=
  while [ "$below" != "$before" ]; do
    before=$below
    for file in /proc/[0-9]*/status; do
      pid=\${file#/proc/}; pid=\${pid%/status}
      case $below in *" $pid "*) continue ;; esac
      parent=none
      while read -r key value _; do
        case $key$value in State:Z) break ;; PPid:*) parent=$value; break ;; esac
      done < "$file"
      case $below in *" $parent "*) below="$below$pid " ;; esac
    done
  done
  echo "\${below#" $root "}"
}

looks=0
while [ -z "$cgroups" ] && [ -n "$tag" ] && [ -n "$root" ] && [ "$looks" -lt 20 ]; do
  looks=$((looks + 1)); pids=$(descendants)
  [ -n "$pids" ] || break
  kill -s KILL $pids
done

quiet=0; looks=0
while [ "$quiet" -lt 3 ] && [ "$looks" -lt 300 ]; do
  quiet=$((quiet + 1)); looks=$((looks + 1)); pids=
  if [ -n "$root" ]; then kill -s KILL -- "-$root" && quiet=0 || root=; fi
  for cgroup in $cgroups; do
    [ ! -e "$cgroup/pids.max" ] || echo 0 > "$cgroup/pids.max"
    [ ! -e "$cgroup/cgroup.kill" ] || echo 1 > "$cgroup/cgroup.kill"
    pids="$pids $(cat "$cgroup/cgroup.procs")"
  done
  [ -z "$tag" ] || pids="$pids $(grep -lF -e "$tag" /proc/[0-9]*/environ)"
  for pid in $pids; do
    pid=\${pid#/proc/}; pid=\${pid%/environ}; quiet=0
    # All of it: a process may have named itself with a line break, and what follows would be taken for its group.
    stat=$(cat "/proc/$pid/stat")
    set -- \${stat##*) }
    [ "\${3:-0}" -le 1 ] || kill -s KILL -- "-$3"
    kill -s KILL "$pid"
  done
  sleep 0.1 || sleep 1
done
[ -z "$cgroups" ] || rmdir $cgroups
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
    const args = ['-c', GUARD, 'runledger-guard', run.tag ?? '', run.scratch, ...run.cgroups, '--', ...run.farewell];
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

  /** @param rootPid the command's outermost process, which leads a process group; null when it is no process of this host */
  watch(rootPid: number | null): void {
    this.child.stdin?.write(`${rootPid ?? ''}\n`);
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
