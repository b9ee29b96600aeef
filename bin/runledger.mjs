#!/usr/bin/env node
import { existsSync } from 'node:fs';

const command = new URL('../dist/apps/cli/src/main.js', import.meta.url);
if (!existsSync(command)) {
  // A checkout that was installed without its scripts. A published package always has its build.
  const { ensureReady } = await import('../scripts/ensure.mjs');
  ensureReady();
}
await import(command.href);
