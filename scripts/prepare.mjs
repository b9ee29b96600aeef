/** npm's `prepare`, at the end of `npm ci` and `npm install` in a checkout. Where build tools were left out there is nothing to prepare. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { build, linkCommand, requireNode, root } from './ensure.mjs';

requireNode();
if (existsSync(join(root, 'node_modules/@swc/cli')) && existsSync(join(root, 'apps'))) build();
linkCommand();
