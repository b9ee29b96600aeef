import { spawnSync } from 'node:child_process';
import { AppError } from '#kernel';

/** Who the server runs as: ourselves, or `postgres` when we are root, as which PostgreSQL refuses to run. */
export interface Account {
  ids: { uid?: number; gid?: number };
  /** What to add to an error message. */
  advice: string;
}

/** A program with its arguments, and the account that Node is to start it under. */
export interface Launch {
  command: string;
  args: string[];
  ids: Account['ids'];
}

const NAME = 'postgres';

/** The account for the server; as root, the system user `postgres`, made when there is none. */
export function postgresAccount(): Account {
  if (process.getuid?.() !== 0) return { ids: {}, advice: '' };
  const found = lookUp() ?? create();
  return {
    ids: found,
    advice: ` (as root, the server runs as the user "${NAME}", who must be able to enter this folder and node_modules; or run Runledger as a normal user)`,
  };
}

/**
 * How to start one of PostgreSQL's programs as that account. A checkout or a data folder below one that only root may enter (`/root`, a
 * `mktemp -d`) is passed through by the one capability that this takes, where the system's `setpriv` can hand it on.
 */
export function launchAs({ ids }: Account, command: string, args: string[], folder: string): Launch {
  if (ids.uid === undefined || ids.gid === undefined || mayEnter(ids, command, folder)) return { command, args, ids };
  // initdb asks access(2), which looks away from capabilities unless the last bit is set.
  const passThrough = [
    '--inh-caps=+dac_read_search',
    '--ambient-caps=+dac_read_search',
    '--securebits=+no_setuid_fixup',
  ];
  const asAccount = [`--reuid=${ids.uid}`, `--regid=${ids.gid}`, '--clear-groups', ...passThrough];
  return { command: 'setpriv', args: [...asAccount, command, ...args], ids: {} };
}

/** True when the account can do without, or when there is no `setpriv` and the attempt must be made anyway. */
function mayEnter(ids: Account['ids'], program: string, folder: string): boolean {
  const test = spawnSync('/bin/sh', ['-c', 'test -x "$1" && test -x "$2"', 'sh', program, folder], {
    ...ids,
    cwd: '/',
  });
  return test.status === 0 || spawnSync('setpriv', ['--version']).status !== 0;
}

function lookUp(): { uid: number; gid: number } | undefined {
  const id = (flag: string): number => {
    const result = spawnSync('id', [flag, NAME], { encoding: 'utf8' });
    return result.status === 0 ? Number(result.stdout) : NaN;
  };
  const [uid, gid] = [id('-u'), id('-g')];
  return Number.isInteger(uid) && Number.isInteger(gid) ? { uid, gid } : undefined;
}

function create(): { uid: number; gid: number } {
  const result = spawnSync(
    'useradd',
    ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin', NAME],
    { encoding: 'utf8' },
  );
  const account = lookUp();
  if (account === undefined) {
    throw new AppError(
      'CONFIG_INVALID',
      `PostgreSQL does not run as root and the user "${NAME}" cannot be made (${result.error?.message ?? result.stderr.trim()}): run Runledger as a normal user, or set DATABASE_URL`,
    );
  }
  return account;
}
