import type { LogLevel } from '#config';
import { cleanLine, wrap } from '../terminal/format.js';
import type { Terminal } from '../terminal/terminal.js';

/** Where the supervisor and its processes say what they do: standard error, pretty for a person, JSON lines otherwise. */
export interface SystemLog {
  say(source: string, level: 'info' | 'warn' | 'error', message: string): void;
  /** A line as a process wrote it: pino's JSON, or anything. */
  forward(source: string, line: string): void;
}

/** Pino's order. */
const LEVELS: Record<string, number> = { trace: 10, debug: 20, info: 30, warn: 40, error: 50, fatal: 60, silent: 100 };

export function systemLog(terminal: Terminal, how: { pretty: boolean; level: LogLevel }): SystemLog {
  const lowest = LEVELS[how.level] ?? 30;
  const pretty = (source: string, level: number, message: string): void => {
    const { dim, red, yellow } = terminal.noteColors;
    const paint = level >= 50 ? red : level >= 40 ? yellow : String;
    const head = `${new Date().toISOString().slice(11, 19)} ${source.padEnd(10)} `;
    const [first = '', ...rest] = wrap(message, terminal.interactive ? terminal.columns - head.length : Infinity);
    terminal.note(`${dim(head)}${paint(first)}`);
    for (const line of rest) terminal.note(' '.repeat(head.length) + paint(line));
  };
  return {
    say: (source, name, message) => {
      const level = LEVELS[name] ?? 30;
      if (level < lowest) return;
      if (how.pretty) pretty(source, level, message);
      else
        terminal.note(
          JSON.stringify({ level: name, time: new Date().toISOString(), pid: process.pid, name: source, msg: message }),
        );
    },
    forward: (source, line) => {
      if (line.trim() === '' || lowest >= 100) return;
      const record = how.pretty ? parseRecord(line) : null;
      // Whoever starts the process tells a person that it is ready, and what it serves; the log, on its own pipe, would come later.
      if (record !== null && /^(listening on|serving queue) /.test(record.message)) return;
      if (record !== null) pretty(source, record.level, record.message);
      else if (how.pretty) pretty(source, 30, cleanLine(line));
      else terminal.note(line);
    },
  };
}

function parseRecord(line: string): { level: number; message: string } | null {
  if (!line.startsWith('{')) return null;
  try {
    const record = JSON.parse(line) as { level?: unknown; msg?: unknown; err?: { message?: unknown } };
    const message =
      typeof record.msg === 'string' ? record.msg : typeof record.err?.message === 'string' ? record.err.message : line;
    return { level: typeof record.level === 'string' ? (LEVELS[record.level] ?? 30) : 30, message: cleanLine(message) };
  } catch {
    return null;
  }
}
