/** A variable of this process that a person has named, such as one that holds a secret to hand on; undefined where it is not set. */
export function variable(name: string): string | undefined {
  return process.env[name];
}
