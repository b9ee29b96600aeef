import { ENOSYS, SECCOMP_RULES, type ArgumentTest, type SeccompArch } from './seccomp-rules.js';

// linux/bpf_common.h: the few instructions of classic BPF that a filter needs.
const LOAD_WORD = 0x20;
const JUMP_IF_EQUAL = 0x15;
const JUMP_IF_AT_LEAST = 0x35;
const JUMP_IF_ANY_BIT = 0x45;
const RETURN = 0x06;

// linux/seccomp.h: struct seccomp_data is the number (4 bytes), the machine (4), the instruction pointer (8), six arguments (8 each).
const NUMBER_OFFSET = 0;
const MACHINE_OFFSET = 4;
const ARGUMENTS_OFFSET = 16;
const ARGUMENT_BYTES = 8;

const ALLOW = 0x7fff0000;
const FAIL_WITH = 0x00050000;
const KILL_PROCESS = 0x80000000;

/** linux/audit.h: the machine, with bits for 64 bits and little-endian. */
const MACHINES: Record<SeccompArch, number> = { x64: 0xc000003e, arm64: 0xc00000b7 };

/** On x86-64, numbers from here on are the x32 calls: the same functions a second time. */
const X32_BIT = 0x40000000;

/** `struct sock_filter`: code, where to go when true and when false (instructions to skip), operand. */
type Instruction = readonly [code: number, whenTrue: number, whenFalse: number, operand: number];
const INSTRUCTION_BYTES = 8;

/**
 * The filter of system calls for this machine, as the array of `struct sock_filter` that prctl(PR_SET_SECCOMP) and `bwrap --seccomp` take.
 * @param arch `process.arch`
 * @returns null for machines that it was not written for
 */
export function seccompFilter(arch: string): Buffer | null {
  return arch === 'x64' || arch === 'arm64' ? assemble(program(arch)) : null;
}

function program(arch: SeccompArch): Instruction[] {
  return [
    // A program for another machine has other numbers: 32-bit programs end here.
    load(MACHINE_OFFSET),
    [JUMP_IF_EQUAL, 1, 0, MACHINES[arch]],
    answer(KILL_PROCESS),
    load(NUMBER_OFFSET),
    ...(arch === 'x64' ? [[JUMP_IF_AT_LEAST, 0, 1, X32_BIT] as const, answer(FAIL_WITH | ENOSYS)] : []),
    ...SECCOMP_RULES.flatMap(({ numbers, errno, when }) => {
      const number = numbers[arch];
      if (number === null) return [];
      const denied = answer(FAIL_WITH | errno);
      const body = when === undefined ? [denied] : argumentTest(when, denied);
      return [[JUMP_IF_EQUAL, 0, body.length, number] as const, ...body];
    }),
    answer(ALLOW),
  ];
}

/** Ends in an answer on every way, because the accumulator does not hold the call's number any more. */
function argumentTest(test: ArgumentTest, denied: Instruction): Instruction[] {
  // Both machines are little-endian: the lower half comes first.
  const argument = load(ARGUMENTS_OFFSET + test.argument * ARGUMENT_BYTES);
  if ('anyBitOf' in test) return [argument, [JUMP_IF_ANY_BIT, 0, 1, test.anyBitOf], denied, answer(ALLOW)];
  const [values, found, otherwise] =
    'oneOf' in test ? [test.oneOf, denied, answer(ALLOW)] : [test.notOneOf, answer(ALLOW), denied];
  const comparisons = values.map((value, index) => [JUMP_IF_EQUAL, values.length - index, 0, value] as const);
  return [argument, ...comparisons, otherwise, found];
}

function load(offset: number): Instruction {
  return [LOAD_WORD, 0, 0, offset];
}

function answer(action: number): Instruction {
  return [RETURN, 0, 0, action];
}

function assemble(instructions: Instruction[]): Buffer {
  const bytes = Buffer.alloc(instructions.length * INSTRUCTION_BYTES);
  instructions.forEach(([code, whenTrue, whenFalse, operand], index) => {
    const at = index * INSTRUCTION_BYTES;
    bytes.writeUInt16LE(code, at);
    bytes.writeUInt8(whenTrue, at + 2);
    bytes.writeUInt8(whenFalse, at + 3);
    bytes.writeUInt32LE(operand >>> 0, at + 4);
  });
  return bytes;
}
