/** Stops what global-setup.mjs has started; both run in the same process. */
export default async function globalTeardown() {
  await globalThis.stopTestCluster?.();
}
