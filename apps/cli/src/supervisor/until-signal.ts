import { onNpmExit } from '#config';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** npm passes on a signal that the terminal has already sent to the whole group: two at once are one wish. */
const SAME_WISH_MS = 400;

/** The first and the second time that somebody asks this process to stop, and how. From now on signals do nothing else. */
export function untilSignal(): { first: Promise<string>; second: Promise<string> } {
  let firstAt: number | null = null;
  let tellFirst: (how: string) => void = () => undefined;
  let tellSecond: (how: string) => void = () => undefined;
  const first = new Promise<string>((resolve) => (tellFirst = resolve));
  const second = new Promise<string>((resolve) => (tellSecond = resolve));
  const asked = (how: string): void => {
    if (firstAt === null) {
      firstAt = Date.now();
      tellFirst(how);
    } else if (Date.now() - firstAt > SAME_WISH_MS) {
      tellSecond(how);
    }
  };
  for (const name of SIGNALS) process.on(name, () => asked(name));
  onNpmExit(() => {
    if (firstAt === null) asked('npm is gone');
  });
  return { first, second };
}
