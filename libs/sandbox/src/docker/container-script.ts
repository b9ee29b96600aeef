import { BASH_READER, SCRIPT_FD, SH_READER } from '../shell-script.js';

/** Whatever a script leaves behind is asked to end, and ended this soon after. */
const LEFTOVER_GRACE_MS = 1_000;
const LOOK_MS = 50;
/** Where the supervisor keeps standard error, so that what the shell itself has to say is not taken for the script's. */
const STDERR_FD = 5;

/**
 * The container's first program besides its init: a shell around the script's shell. The script comes on its standard input. It tells in
 * the first line of standard error that it is there. When the script has ended it asks what is left to end, ends it, and tells the exit
 * code in the last line: by then nobody else is left who could write another one. It catches SIGTERM so that the signal ends the command and not the one who reports on it.
 * One that was asked to end itself asks nobody a second time; they have all been asked.
 */
const SUPERVISOR = `token=$1 asked_looks=$2 left_looks=$3
exec ${SCRIPT_FD}<&0 </dev/null ${STDERR_FD}>&2 2>/dev/null
asked=; signals=none
trap asked=yes TERM INT HUP QUIT
printf 'runledger:%s:ready\\n' "$token" >&${STDERR_FD}
(
  exec 2>&${STDERR_FD} ${STDERR_FD}>&-
  trap - TERM INT HUP QUIT
  [ -z "$asked" ] || exit 143
  if command -v bash >/dev/null 2>&1; then exec bash -eo pipefail -c "$4" script; fi
  exec sh -e -c "$5" script
)
code=$?
exec ${SCRIPT_FD}<&-
others() {
  for file in /proc/[0-9]*/stat; do
    pid=\${file#/proc/}; pid=\${pid%/stat}; stat=
    [ "$pid" -ne 1 ] && [ "$pid" -ne $$ ] || continue
    read -r stat < "$file"
    case \${stat##*) } in ''|Z*|X*) ;; *) return 0 ;; esac
  done
  return 1
}
gone_within() {
  looks=0
  while others; do
    [ "$looks" -lt "$1" ] || return 1
    looks=$((looks + 1))
    sleep ${LOOK_MS / 1000} || sleep 1
  done
}
if others; then
  if [ -z "$asked" ]; then signals=TERM; kill -s TERM -- -1; else left_looks=$asked_looks; fi
  if ! gone_within "$left_looks"; then signals=$signals,KILL; kill -s KILL -- -1; gone_within 100; fi
fi
printf 'runledger:%s:%s:%s\\n' "$token" "$code" "$signals" >&${STDERR_FD}
exit "$code"`;

/** @param token a secret of this run, by which its last line is known */
export function containerCommand(token: string, graceMs: number): string[] {
  // One that was asked by the driver has the driver's whole grace, which ends in the container's end.
  const askedLooks = Math.ceil(graceMs / LOOK_MS) + 20;
  const leftLooks = Math.ceil(Math.min(graceMs, LEFTOVER_GRACE_MS) / LOOK_MS);
  return ['-c', SUPERVISOR, 'supervisor', token, String(askedLooks), String(leftLooks), BASH_READER, SH_READER];
}

/** What the last line says. */
export interface LastLine {
  exitCode: number;
  /** Signals that the supervisor sent to what the script left behind. */
  signals: string[];
}

/** Longer than any last line. */
const LINE_BYTES = 64;

/** Takes the supervisor's first and last line out of standard error, and lets everything else through without waiting for more. */
export class SupervisorLines {
  private held: Buffer = Buffer.alloc(0);
  private ready = false;
  private readonly mark: Buffer;
  private readonly first: Buffer;

  /** @param onReady is told when the first line has come */
  constructor(
    token: string,
    private readonly onReady: () => void,
  ) {
    this.mark = Buffer.from(`runledger:${token}:`);
    this.first = Buffer.from(`runledger:${token}:ready\n`);
  }

  /** @returns what is certainly the command's */
  pass(bytes: Buffer): Buffer {
    const all = this.withoutFirst(Buffer.concat([this.held, bytes]));
    const at = this.beginning(all);
    this.held = all.subarray(at);
    return all.subarray(0, at);
  }

  /** To be called at the end. @returns what was held back and is no last line, and the line where there is one */
  end(): { rest: Buffer; line: LastLine | null } {
    const text = this.held.toString('latin1').slice(this.mark.length);
    const match = this.held.indexOf(this.mark) === 0 ? /^(\d+):([A-Zn][A-Za-z,]*)\n$/.exec(text) : null;
    if (match === null) return { rest: this.held, line: null };
    const signals = (match[2] ?? '').split(',').filter((name) => name === 'TERM' || name === 'KILL');
    return {
      rest: Buffer.alloc(0),
      line: { exitCode: Number(match[1]), signals: signals.map((name) => `SIG${name}`) },
    };
  }

  private withoutFirst(all: Buffer): Buffer {
    if (this.ready || !all.subarray(0, this.first.length).equals(this.first)) return all;
    this.ready = true;
    this.onReady();
    return all.subarray(this.first.length);
  }

  /** Where the last line may begin. */
  private beginning(all: Buffer): number {
    const found = all.lastIndexOf(this.mark);
    if (found >= 0 && all.length - found <= LINE_BYTES + this.mark.length) return found;
    for (let length = Math.min(this.mark.length - 1, all.length); length > 0; length -= 1) {
      const at = all.length - length;
      if (all.subarray(at).equals(this.mark.subarray(0, length))) return at;
    }
    return all.length;
  }
}
