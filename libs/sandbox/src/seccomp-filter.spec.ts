import { seccompFilter } from './seccomp-filter.js';
import { SECCOMP_RULES, type SeccompArch } from './seccomp-rules.js';

const MACHINES: Record<SeccompArch, number> = { x64: 0xc000003e, arm64: 0xc00000b7 };
const ALLOWED = 0x7fff0000;
const KILLED = 0x80000000;

/** The kernel's side of a filter (linux/net/core/filter.c), for the instructions that ours may have. */
function run(filter: Buffer, call: { nr: number; machine: number; args?: bigint[] }): number {
  const data = Buffer.alloc(64);
  data.writeInt32LE(call.nr, 0);
  data.writeUInt32LE(call.machine, 4);
  call.args?.forEach((value, index) => data.writeBigUInt64LE(BigInt.asUintN(64, value), 16 + 8 * index));
  let accumulator = 0;
  for (let pc = 0; pc < filter.length / 8; pc += 1) {
    const at = pc * 8;
    const operand = filter.readUInt32LE(at + 4);
    const jump = (isSo: boolean): void => void (pc += filter.readUInt8(at + (isSo ? 2 : 3)));
    switch (filter.readUInt16LE(at)) {
      case 0x20:
        accumulator = data.readUInt32LE(operand);
        break;
      case 0x15:
        jump(accumulator === operand);
        break;
      case 0x35:
        jump(accumulator >= operand);
        break;
      case 0x45:
        jump((accumulator & operand) !== 0);
        break;
      case 0x06:
        return operand;
      default:
        throw new Error(`instruction ${pc} is unknown`);
    }
  }
  throw new Error('the filter has no answer');
}

describe.each<SeccompArch>(['x64', 'arm64'])('the filter of system calls on %s', (arch) => {
  const filter = seccompFilter(arch) ?? Buffer.alloc(0);
  const machine = MACHINES[arch];
  const numberOf = (name: string): number => {
    const number = SECCOMP_RULES.find((rule) => rule.name === name)?.numbers[arch];
    if (typeof number !== 'number') throw new Error(`no ${name}`);
    return number;
  };
  const ask = (name: string, ...args: (number | bigint)[]): number =>
    run(filter, { nr: numberOf(name), machine, args: args.map(BigInt) });

  it('is no longer than the kernel takes', () => {
    expect(filter.length % 8).toBe(0);
    expect(filter.length / 8).toBeLessThan(4096);
  });

  it('denies every call of the list that has no condition, with its errno, and only those', () => {
    const denied = new Map<number, number>();
    const conditional = new Set<number>();
    for (const { numbers, errno, when } of SECCOMP_RULES) {
      const number = numbers[arch];
      if (number === null) continue;
      if (when === undefined) denied.set(number, 0x50000 | errno);
      else conditional.add(number);
    }
    for (let nr = 0; nr < 600; nr += 1) {
      if (conditional.has(nr)) continue;
      expect([nr, run(filter, { nr, machine })]).toEqual([nr, denied.get(nr) ?? ALLOWED]);
    }
  });

  it('ends a program of another machine', () => {
    for (const other of [0x40000003, 0x40000028, MACHINES[arch === 'x64' ? 'arm64' : 'x64']])
      expect(run(filter, { nr: 0, machine: other })).toBe(KILLED);
  });

  it('lets processes and threads be made, and no namespace', () => {
    expect(ask('clone', 0x01200011)).toBe(ALLOWED);
    expect(ask('clone', 0x003d0f00)).toBe(ALLOWED);
    expect(ask('unshare', 0x600)).toBe(ALLOWED);
    for (const flag of [0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000]) {
      expect(ask('clone', flag | 17)).toBe(0x50001);
      expect(ask('unshare', flag)).toBe(0x50001);
    }
    expect(ask('unshare', 0x80)).toBe(0x50001);
  });

  it('lets no terminal be typed into, whatever the upper half of the argument says', () => {
    for (const request of [0x5412, 0x541c, 0x5423]) {
      expect(ask('ioctl', 0, request)).toBe(0x50001);
      expect(ask('ioctl', 0, (1n << 32n) | BigInt(request))).toBe(0x50001);
    }
    expect(ask('ioctl', 0, 0x5401)).toBe(ALLOWED);
  });

  it('has sockets of four families', () => {
    const families = Array.from({ length: 50 }, (_, family) => family);
    for (const call of ['socket', 'socketpair'])
      expect(families.filter((family) => ask(call, family) === ALLOWED)).toEqual([1, 2, 10, 16]);
    expect(ask('socket', 40)).toBe(0x50061);
  });

  it('keeps the personality', () => {
    expect(ask('personality', 0xffffffff)).toBe(ALLOWED);
    expect(ask('personality', 0)).toBe(ALLOWED);
    expect(ask('personality', 0x0040000)).toBe(0x50001);
    expect(ask('personality', 0x0400000)).toBe(0x50001);
  });
});

it('answers the x32 form of every call with ENOSYS', () => {
  const filter = seccompFilter('x64') ?? Buffer.alloc(0);
  for (const nr of [0, 165, 321]) expect(run(filter, { nr: nr | 0x40000000, machine: MACHINES.x64 })).toBe(0x50026);
});

it('is not made for other machines', () => {
  expect(seccompFilter('riscv64')).toBeNull();
});
