/** For files that run outside of Jest's module system: TypeScript of the libs as one JavaScript file (60 ms), built or not. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const LIBS = [
  'kernel',
  'config',
  'database',
  'queue',
  'ledger',
  'runner',
  'sandbox',
  'artifacts',
  'identity',
  'client',
  'testing',
];

/** Bundles a source file (path from the root) into `outfile`, which must lie below the root so that packages are found from it. */
export async function bundle(source, outfile) {
  await build({
    entryPoints: [join(root, source)],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    alias: Object.fromEntries(LIBS.map((lib) => [`#${lib}`, join(root, `libs/${lib}/src/index.ts`)])),
    tsconfig: join(root, 'tsconfig.json'),
    logLevel: 'warning',
  });
  return outfile;
}
