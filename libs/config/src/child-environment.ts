/** The environment for a process started by this one: our own, with these variables set, or taken out where undefined. */
export function childEnvironment(changes: Record<string, string | undefined>): Record<string, string> {
  const merged = Object.entries({ ...process.env, ...changes });
  return Object.fromEntries(merged.filter((entry): entry is [string, string] => entry[1] !== undefined));
}
