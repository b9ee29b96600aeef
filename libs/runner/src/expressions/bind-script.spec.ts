import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { AppError } from '#kernel';
import { bindScript, scriptExpressions } from './bind-script.js';
import type { ExpressionContext } from './expression-context.js';

function contextOf(x: string): ExpressionContext {
  const view = { status: 'COMPLETED' as const, exitCode: 0, attempt: 1, error: null };
  return {
    steps: { a: { ...view, outputs: { x, n: 3 } } },
    job: {
      id: 'j',
      name: 'n',
      kind: 'PIPELINE',
      priority: 5,
      workspaceId: 'w',
      projectId: null,
      tags: [],
      metadata: {},
      failed: false,
    },
  };
}

const dir = mkdtempSync(join(tmpdir(), 'bind-script-'));
writeFileSync(join(dir, 'a-file'), '');
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** bash reads a startup file when it takes its input for a network connection, as it does under a test runner. */
const QUIET: Record<string, string[]> = { bash: ['--norc'] };

/** What the script prints when a real shell runs it. */
function run(shell: string, script: string, value: string): string {
  const bound = bindScript(script.replaceAll('X', '${{ steps.a.outputs.x }}'), contextOf(value));
  return execFileSync(shell, [...(QUIET[shell] ?? []), '-c', bound.script], {
    cwd: dir,
    env: { PATH: process.env['PATH'], ...bound.env },
    encoding: 'utf8',
  });
}

const NASTY = [
  'a b  c',
  '*',
  '; touch hacked',
  '$(touch hacked)',
  '`touch hacked`',
  '"; echo "',
  "it's",
  'a\nb\n\nc',
  '$HOME',
  '\\',
  '-n',
  '${{ x }}',
  ') #',
  '',
];

describe.each(['bash', 'sh'])('a value in %s', (shell) => {
  it.each([
    ['printf %s X', (v: string) => v],
    ['printf %s pre-X-post', (v: string) => `pre-${v}-post`],
    ['printf %s "a X b"', (v: string) => `a ${v} b`],
    ['printf %s "X"', (v: string) => v],
    ['y=X; printf %s "$y"', (v: string) => v],
    ['printf %s "$(printf "%s|" X)"', (v: string) => `${v}|`],
    ['printf %s "$(printf "<%s>" "X")"', (v: string) => `<${v}>`],
    ["# it's X\nprintf %s X # don't", (v: string) => v],
    ['cat <<EOF\nit\'s "X"\nEOF\nprintf %s X', (v: string) => `it's "${v}"\n${v}`],
    ["cat <<-EOF\n\tX\n\tEOF\nprintf '%s' X", (v: string) => `${v}\n${v}`],
    ["cat <<'EOF'; printf %s X\nit's\nEOF\nprintf %s X", (v: string) => `it's\n${v}${v}`],
    ['n=$((1 << 2)); printf %s "$n X"', (v: string) => `4 ${v}`],
    ['v="$(case 1 in 1) echo "it\'s";; esac)"; printf %s "X"', (v: string) => v],
    ["printf '%s' 'a'X'b'", (v: string) => `a${v}b`],
    ["printf %s \\' X", (v: string) => `'${v}`],
    ['if true; then printf %s X; fi', (v: string) => v],
    ['set -- X; printf %s "$#$1"', (v: string) => `1${v}`],
  ])('%j prints it as it is', (script, expected) => {
    for (const value of NASTY) {
      // printf takes -n as a string after its format; an empty value prints nothing.
      expect(run(shell, script, value)).toBe(expected(value));
    }
  });

  it('is never run, wherever it stands and whatever the scanner makes of the script', () => {
    const pieces = fc.constantFrom(
      'X',
      ' ',
      '"',
      "'",
      '(',
      ')',
      '$(',
      '${',
      '}',
      '`',
      '\n',
      '#',
      '<<E',
      'E',
      'case',
      ' in ',
      'esac',
      ';',
      '\\',
      'printf %s ',
      '$',
    );
    let ran = 0;
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 10 }), (parts) => {
        const script = `: ${parts.join('')}`.replaceAll('X', '${{ steps.a.outputs.x }}');
        let bound;
        try {
          bound = bindScript(script, contextOf('"\'`;)} touch hacked; $(touch hacked) #'));
        } catch (error) {
          expect(error).toBeInstanceOf(AppError);
          return;
        }
        ran++;
        const check = `cd ${dir}\n( eval "$SCRIPT" ) >/dev/null 2>&1 </dev/null\n[ ! -e hacked ] && printf safe`;
        const env = { PATH: process.env['PATH'], SCRIPT: bound.script, ...bound.env };
        expect(execFileSync(shell, [...(QUIET[shell] ?? []), '-c', check], { env, encoding: 'utf8' })).toBe('safe');
      }),
      { numRuns: 60 },
    );
    expect(ran).toBeGreaterThan(5);
  });
});

describe('bindScript', () => {
  it('gives each expression one variable', () => {
    expect(
      bindScript('echo ${{ steps.a.outputs.n }} "${{steps.a.outputs.n}}" ${{ job.failed }}', contextOf('x')),
    ).toEqual({
      script: 'echo "${RUNLEDGER_EXPR_1}" "${RUNLEDGER_EXPR_1}" "${RUNLEDGER_EXPR_2}"',
      env: { RUNLEDGER_EXPR_1: '3', RUNLEDGER_EXPR_2: 'false' },
    });
  });

  it('leaves a script without expressions, escapes and comments alone', () => {
    expect(bindScript("echo 'a' $X ${Y}", contextOf('x'))).toEqual({ script: "echo 'a' $X ${Y}", env: {} });
    expect(bindScript("echo '$${{ a }}' # ${{ nonsense }}", contextOf('x'))).toEqual({
      script: "echo '${{ a }}' # ${{ nonsense }}",
      env: {},
    });
  });

  it('refuses values that no variable can hold', () => {
    expect(() => bindScript('echo ${{ "\\x00" }}', contextOf(''))).toThrow('NUL');
    expect(() => bindScript('echo ${{ steps.a.outputs.x }}', contextOf('x'.repeat(100_000)))).toThrow(
      'larger than 96 KiB',
    );
  });

  it.each([
    ["echo 'a ${{ x }}'", 'line 1 stands inside single quotes'],
    ["echo $'a \\' ${{ x }}'", 'line 1 stands inside single quotes'],
    ["cat <<'EOF'\n${{ x }}\nEOF", 'line 2 stands in a heredoc with a quoted delimiter'],
    ['cat <<\\EOF\n${{ x }}\nEOF', 'line 2 stands in a heredoc with a quoted delimiter'],
    ['echo `echo ${{ x }}`', 'stands inside backticks'],
    ['echo "`echo ${{ x }}`"', 'stands inside backticks'],
    ['echo $(( ${{ x }} + 1 ))', 'stands inside (( ))'],
    ['echo "$(( "${{ x }}" + 1 ))"', 'stands inside (( ))'],
    ['(( ${{ x }} > 1 )) && echo', 'stands inside (( ))'],
    ['echo ${a[${{ x }}]}', 'stands inside ${ }'],
    ['echo "${a:-${{ x }}}"', 'stands inside ${ }'],
    ['echo ok\necho "${{ x"', 'line 2 has no closing }}'],
    ['$('.repeat(60) + '${{ x }}', 'nested too deep'],
  ])('%j is refused at submission', (script, problem) => {
    const { problems } = scriptExpressions(script);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(problem);
  });

  it.each([
    "# don't\necho ${{ x }}",
    "cat <<EOF\nit's\nEOF\necho ${{ x }}",
    "cat <<'EOF'\nit's \"\nEOF\necho ${{ x }}",
    "cat <<A <<'B'\n'\nA\n\"'\nB\necho ${{ x }}",
    'echo "it\'s" ${{ x }}',
    "echo it\\'s ${{ x }}",
    'awk \'{print $1}\' <<<"${{ x }}"',
    'x=$(case $y in a) echo "\'";; b|c) echo;; esac); echo ${{ x }}',
    'for ((i = 1 << 2; i < 9; i++)); do echo ${{ x }}; done',
    "echo ${#v} $# $'it\\'s' ${{ x }}",
  ])('%j gives no false alarm', (script) => {
    expect(scriptExpressions(script)).toEqual({ expressions: ['x'], problems: [] });
  });
});
