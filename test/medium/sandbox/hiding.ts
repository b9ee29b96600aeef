import { readFileSync } from 'node:fs';
import { processIds } from './host-processes.js';

const SLEEP = ['/bin/sleep', '304.25'];

/** A script that leaves a process without parent, session, pipes and environment behind, and ends when that is up. */
export const HIDING = `rm -f up
(setsid env -i /bin/sh -c ': > up; exec ${SLEEP.join(' ')}' <&- >&- 2>&- &)
while [ ! -e up ]; do sleep 0.02; done; echo done`;

/** Those that still run, known by their command line: they have nothing else. */
export function hiding(): string[] {
  return processIds().filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8') === `${SLEEP.join('\0')}\0`;
    } catch {
      return false;
    }
  });
}
