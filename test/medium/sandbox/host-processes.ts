import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** The command lines of all processes of the host, zombies apart, that have the text in their environment or arguments. */
export function processesWith(text: string): string[] {
  return processIds().flatMap((pid) => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      const environment = readFileSync(`/proc/${pid}/environ`, 'utf8');
      return (command + environment).includes(text) ? [`${pid} ${command.replaceAll('\0', ' ').trim()}`] : [];
    } catch {
      return [];
    }
  });
}

/** The ids of all processes that can be seen; none where there is no /proc. */
export function processIds(): string[] {
  return existsSync('/proc') ? readdirSync('/proc').filter((name) => /^\d+$/.test(name)) : [];
}
