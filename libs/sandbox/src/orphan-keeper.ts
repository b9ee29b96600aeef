import { existsSync } from 'node:fs';
import type { Launch } from './supervisor-process.js';

const PERL_PATHS = ['/usr/bin/perl', '/usr/local/bin/perl', '/bin/perl'];
/** prctl(2), by machine. */
const PRCTL: Partial<Record<NodeJS.Architecture, number>> = { x64: 157, arm64: 167 };
const PR_SET_CHILD_SUBREAPER = 36;

/**
 * The same launch as one that inherits the orphans below it, instead of the system's init: a process that has left its parent, its
 * session and its environment is still found below it. Neither Node nor a shell can make that system call; Perl can, which hardly any
 * Linux is without, and the setting outlives its exec.
 * @returns null where there is no Perl or another system than Linux
 */
export function keepingOrphans(launch: Launch): Launch | null {
  const prctl = process.platform === 'linux' ? PRCTL[process.arch] : undefined;
  const perl = PERL_PATHS.find((path) => existsSync(path));
  if (prctl === undefined || perl === undefined) return null;
  // Perl would act on these of the command's variables; they reach the program all the same.
  const own = Object.entries(launch.env).filter(([name]) => name.startsWith('PERL'));
  const env = Object.fromEntries(Object.entries(launch.env).filter(([name]) => !name.startsWith('PERL')));
  const assignments = own.map(([name, value]) => `${name}=${value}`);
  return {
    ...launch,
    env,
    file: perl,
    args: ['-e', program(prctl), '--', ...assignments, '--', launch.file, ...launch.args],
  };
}

function program(prctl: number): string {
  const restore = 'while (($_ = shift) ne "--") { my ($name, $value) = split /=/, $_, 2; $ENV{$name} = $value }';
  return `${restore} syscall(${prctl}, ${PR_SET_CHILD_SUBREAPER}, 1, 0, 0, 0); exec { $ARGV[0] } @ARGV or exit 127`;
}
