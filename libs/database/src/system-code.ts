/** The code of an error of the operating system (`EEXIST`). Looks at the shape only: such errors may come from another realm. */
export function systemCode(error: unknown): string | undefined {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined;
}
