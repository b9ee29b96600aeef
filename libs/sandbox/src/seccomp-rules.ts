/** The machines that a filter can be made for, by Node's names. */
export type SeccompArch = 'x64' | 'arm64';

/** A system call by its number on each machine (Linux `arch/x86/entry/syscalls/syscall_64.tbl`, `scripts/syscall.tbl`); null where it never was one. */
type Call = readonly [name: string, x64: number | null, arm64: number | null];

/** What of an argument decides. Only its lower 32 bits are looked at: the kernel drops the others of these arguments, and a filter that compared them could be passed by setting them. */
export type ArgumentTest =
  /** denied when one of these bits is set */
  | { argument: number; anyBitOf: number }
  /** denied when it is one of these */
  | { argument: number; oneOf: readonly number[] }
  /** denied unless it is one of these */
  | { argument: number; notOneOf: readonly number[] };

export interface SeccompRule {
  name: string;
  numbers: Record<SeccompArch, number | null>;
  errno: number;
  /** Denied whatever the arguments when not given. */
  when?: ArgumentTest;
}

// errno(3), the same on both machines.
export const EPERM = 1;
export const ENOSYS = 38;
export const EAFNOSUPPORT = 97;

/** What nothing in a sandbox has any business with. Most of it needs a privilege that the sandbox has not; a mistake in the kernel's check of that must not be within reach. */
const FORBIDDEN: readonly Call[] = [
  // Keys belong to users, not to namespaces.
  ['add_key', 248, 217],
  ['request_key', 249, 218],
  ['keyctl', 250, 219],
  // Programs in the kernel, its counters, and page faults served from user space.
  ['bpf', 321, 280],
  ['perf_event_open', 298, 241],
  ['userfaultfd', 323, 282],
  ['fanotify_init', 300, 262],
  ['lookup_dcookie', 212, 18],
  // Another kernel, or more of this one.
  ['kexec_load', 246, 104],
  ['kexec_file_load', 320, 294],
  ['create_module', 174, null],
  ['init_module', 175, 105],
  ['finit_module', 313, 273],
  ['delete_module', 176, 106],
  ['get_kernel_syms', 177, null],
  ['query_module', 178, null],
  // What is mounted, and where the root is.
  ['mount', 165, 40],
  ['umount2', 166, 39],
  ['pivot_root', 155, 41],
  ['chroot', 161, 51],
  ['open_tree', 428, 428],
  ['open_tree_attr', 467, 467],
  ['move_mount', 429, 429],
  ['fsopen', 430, 430],
  ['fsconfig', 431, 431],
  ['fsmount', 432, 432],
  ['fspick', 433, 433],
  ['mount_setattr', 442, 442],
  ['swapon', 167, 224],
  ['swapoff', 168, 225],
  ['quotactl', 179, 60],
  ['quotactl_fd', 443, 443],
  ['nfsservctl', 180, 42],
  // Another namespace, a file by its handle instead of its path, another process's descriptors.
  ['setns', 308, 268],
  ['name_to_handle_at', 303, 264],
  ['open_by_handle_at', 304, 265],
  ['pidfd_getfd', 438, 438],
  // The machine: its clock, name, log, accounting, ports, memory nodes, and its end.
  ['reboot', 169, 142],
  ['syslog', 103, 116],
  ['acct', 163, 89],
  ['settimeofday', 164, 170],
  ['clock_settime', 227, 112],
  ['adjtimex', 159, 171],
  ['clock_adjtime', 305, 266],
  ['sethostname', 170, 161],
  ['setdomainname', 171, 162],
  ['vhangup', 153, 58],
  ['iopl', 172, null],
  ['ioperm', 173, null],
  ['move_pages', 279, 239],
  ['migrate_pages', 256, 238],
  // Long dead, and still a way into the kernel where it was built with them.
  ['modify_ldt', 154, null],
  ['uselib', 134, null],
  ['ustat', 136, null],
  ['sysfs', 139, null],
  ['_sysctl', 156, null],
];

/** What programs try and do without: they are told that this kernel has no such call, and go on with what came before it. */
const ABSENT: readonly Call[] = [
  // Its calls are made by the kernel's own threads, past any filter.
  ['io_uring_setup', 425, 425],
  ['io_uring_enter', 426, 426],
  ['io_uring_register', 427, 427],
  // Its flags are behind a pointer, where a filter cannot see them; C libraries then use clone.
  ['clone3', 435, 435],
];

// sched.h: CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET; unshare(2) alone knows NEWTIME, whose bit is part of clone's signal.
const NEW_NAMESPACES = 0x7e020000;
const NEW_TIME = 0x80;

/** asm-generic/ioctls.h: typing into a terminal, a console's selection and paste, the choice of a line discipline (which loads kernel modules). */
export const TIOCSTI = 0x5412;
const TIOCLINUX = 0x541c;
const TIOCSETD = 0x5423;

/** sys/socket.h: UNIX, INET, INET6, NETLINK. Not VSOCK, which no network namespace bounds, nor ALG, PACKET, BLUETOOTH, TIPC ... */
const SOCKET_FAMILIES = [1, 2, 10, 16];
/** sys/personality.h: Linux, its 32-bit form, both with UNAME26, and the question which it is. Others switch off protections of memory. */
const PERSONALITIES = [0, 8, 0x20000, 0x20008, 0xffffffff];

const CONDITIONAL: readonly (readonly [call: Call, errno: number, when: ArgumentTest])[] = [
  [['clone', 56, 220], EPERM, { argument: 0, anyBitOf: NEW_NAMESPACES }],
  [['unshare', 272, 97], EPERM, { argument: 0, anyBitOf: NEW_NAMESPACES | NEW_TIME }],
  [['ioctl', 16, 29], EPERM, { argument: 1, oneOf: [TIOCSTI, TIOCLINUX, TIOCSETD] }],
  [['socket', 41, 198], EAFNOSUPPORT, { argument: 0, notOneOf: SOCKET_FAMILIES }],
  [['socketpair', 53, 199], EAFNOSUPPORT, { argument: 0, notOneOf: SOCKET_FAMILIES }],
  [['personality', 135, 92], EPERM, { argument: 0, notOneOf: PERSONALITIES }],
];

/**
 * The calls that a command may not make. A list of what is denied and not of what is allowed, because commands are any program that
 * people run: an agent's compiler of next year must work. What it leaves out on purpose: ptrace and its kin, which reach no process
 * but the sandbox's own and which debuggers and leak checkers need.
 */
export const SECCOMP_RULES: readonly SeccompRule[] = [
  ...CONDITIONAL.map(([call, errno, when]) => ({ ...rule(call, errno), when })),
  ...FORBIDDEN.map((call) => rule(call, EPERM)),
  ...ABSENT.map((call) => rule(call, ENOSYS)),
];

function rule([name, x64, arm64]: Call, errno: number): SeccompRule {
  return { name, numbers: { x64, arm64 }, errno };
}
