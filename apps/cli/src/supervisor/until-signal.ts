const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** npm passes on a signal that the terminal has already sent to the whole group: two at once are one wish. */
const SAME_WISH_MS = 400;

/** The first and the second time that somebody asks this process to stop. From now on signals do nothing else. */
export function untilSignal(): { first: Promise<NodeJS.Signals>; second: Promise<NodeJS.Signals> } {
  let firstAt: number | null = null;
  let tellFirst: (name: NodeJS.Signals) => void = () => undefined;
  let tellSecond: (name: NodeJS.Signals) => void = () => undefined;
  const first = new Promise<NodeJS.Signals>((resolve) => (tellFirst = resolve));
  const second = new Promise<NodeJS.Signals>((resolve) => (tellSecond = resolve));
  for (const name of SIGNALS) {
    process.on(name, () => {
      if (firstAt === null) {
        firstAt = Date.now();
        tellFirst(name);
      } else if (Date.now() - firstAt > SAME_WISH_MS) {
        tellSecond(name);
      }
    });
  }
  return { first, second };
}
