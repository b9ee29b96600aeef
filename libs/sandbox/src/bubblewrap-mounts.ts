import { existsSync, lstatSync, readlinkSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { SandboxNetwork } from './driver.js';

/** Where a command finds its working directory. */
export const WORKDIR = '/workdir';

/** Either a folder or, where `/usr` is merged, a link into it. */
const SYSTEM_FOLDERS = ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'];

/**
 * What ordinary programs look for under /etc: the dynamic linker, name lookup, certificates, time zone, file types. Nothing that can
 * hold a secret: not /etc/ssl as a whole, because a worker that runs as root could read /etc/ssl/private.
 */
const ETC_ENTRIES = [
  'alternatives',
  'ca-certificates',
  'debian_version',
  'ld.so.cache',
  'ld.so.conf',
  'ld.so.conf.d',
  'localtime',
  'mime.types',
  'nsswitch.conf',
  'os-release',
  'pki/ca-trust/extracted',
  'pki/tls/certs',
  'protocols',
  'services',
  'ssl/cert.pem',
  'ssl/certs',
  'ssl/openssl.cnf',
  'timezone',
];

/** What looking up names takes, beyond `nsswitch.conf`; of use only with a network. */
const NETWORK_ENTRIES = ['gai.conf', 'host.conf', 'hosts', 'resolv.conf'];

/** Character devices that read and write nothing of the host's, and the terminal, which a sandbox has none of. No pseudo-terminals. */
const DEVICES = ['full', 'null', 'random', 'tty', 'urandom', 'zero'];
const DEVICE_LINKS = [
  ['/proc/self/fd', 'fd'],
  ['fd/0', 'stdin'],
  ['fd/1', 'stdout'],
  ['fd/2', 'stderr'],
] as const;

/** The folders in memory: how much of what the command may occupy at most. */
export interface MemoryFolders {
  tmpBytes: number;
  shmBytes: number;
}

/** One user and one group, so that the host's are not told. */
export const SANDBOX_UID = 1000;
export const PASSWD_FILE = `root:x:0:0:root:/:/bin/sh\nsandbox:x:${SANDBOX_UID}:${SANDBOX_UID}:sandbox:/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n`;
export const GROUP_FILE = `root:x:0:\nsandbox:x:${SANDBOX_UID}:\nnogroup:x:65534:\n`;
/** Without a network a sandbox still has a loopback of its own, and programs look it up by name. */
export const HOSTS_FILE = '127.0.0.1 localhost sandbox\n::1 localhost\n';

/** The namespaces and privileges, whatever is mounted. `features` are the options that this bubblewrap knows. */
export function isolationArguments(features: ReadonlySet<string>, network: SandboxNetwork): string[] {
  return [
    '--unshare-all',
    ...(network === 'full' ? ['--share-net'] : []),
    // --unshare-all alone is content without it where it cannot be had.
    '--unshare-user',
    ...(features.has('--disable-userns') ? ['--disable-userns'] : []),
    '--die-with-parent',
    '--new-session',
    '--cap-drop',
    'ALL',
    '--uid',
    String(SANDBOX_UID),
    '--gid',
    String(SANDBOX_UID),
    '--hostname',
    'sandbox',
  ];
}

/** The read-only system, a fresh /proc, the usual devices, and folders of its own for temporary files. */
export function systemMounts(features: ReadonlySet<string>, folders: MemoryFolders, network: SandboxNetwork): string[] {
  const etc = network === 'full' ? [...ETC_ENTRIES, ...NETWORK_ENTRIES] : ETC_ENTRIES;
  const sized = (bytes: number): string[] => (features.has('--size') ? ['--size', String(bytes)] : []);
  return [
    '--ro-bind',
    '/usr',
    '/usr',
    ...SYSTEM_FOLDERS.filter((path) => existsSync(path)).flatMap(systemFolder),
    ...etc.flatMap((name) => ['--ro-bind-try', `/etc/${name}`, `/etc/${name}`]),
    ...nodeMount(realpathSync(process.execPath)),
    '--proc',
    '/proc',
    ...(process.getuid?.() === 0 ? procMasks() : []),
    '--tmpfs',
    '/dev',
    ...DEVICES.flatMap((name) => ['--dev-bind', `/dev/${name}`, `/dev/${name}`]),
    ...DEVICE_LINKS.flatMap(([target, name]) => ['--symlink', target, `/dev/${name}`]),
    ...sized(folders.shmBytes),
    '--tmpfs',
    '/dev/shm',
    '--remount-ro',
    '/dev',
    ...sized(folders.tmpBytes),
    '--tmpfs',
    '/tmp',
    '--symlink',
    '/tmp',
    '/var/tmp',
  ];
}

// What Docker and Podman make read-only and hide (OCI runtime: readonlyPaths, maskedPaths), and what else of it root alone may read.
const PROC_READ_ONLY = ['bus', 'fs', 'irq', 'sys', 'sysrq-trigger', 'mtrr', 'driver', 'tty'];
const PROC_HIDDEN_FOLDERS = ['acpi', 'asound', 'scsi'];
const PROC_HIDDEN_FILES = [
  'kallsyms',
  'kcore',
  'keys',
  'kmsg',
  'kpagecgroup',
  'kpagecount',
  'kpageflags',
  'latency_stats',
  'pagetypeinfo',
  'sched_debug',
  'slabinfo',
  'timer_list',
  'timer_stats',
  'vmallocinfo',
];

/**
 * To the kernel a sandbox of root's is still root where files have an owner but no namespace: without these it could write
 * /proc/sys/kernel/core_pattern, which names a program that the host runs as root.
 */
function procMasks(): string[] {
  const present = (names: string[]): string[] =>
    names.map((name) => `/proc/${name}`).filter((path) => existsSync(path));
  return [
    ...present(PROC_READ_ONLY).flatMap((path) => ['--ro-bind', path, path]),
    ...present(PROC_HIDDEN_FOLDERS).flatMap((path) => ['--tmpfs', path, '--remount-ro', path]),
    ...present(PROC_HIDDEN_FILES).flatMap((path) => ['--ro-bind', '/dev/null', path]),
  ];
}

function systemFolder(path: string): string[] {
  return lstatSync(path).isSymbolicLink() ? ['--symlink', readlinkSync(path), path] : ['--ro-bind', path, path];
}

/** Node's installation when it is outside of /usr; only the binary where its folder is not an installation of Node alone. */
function nodeMount(executable: string): string[] {
  if (executable.startsWith('/usr/')) return [];
  const prefix = dirname(dirname(executable));
  const mounted = existsSync(join(prefix, 'include', 'node')) ? prefix : executable;
  return ['--ro-bind', mounted, mounted];
}
