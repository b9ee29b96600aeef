/** `npm start`, `npm run demo` and the like: makes the checkout ready, then is the `runledger` command, in the same process. */
import { ensureReady, linkCommand } from './ensure.mjs';

ensureReady();
linkCommand();
await import('../bin/runledger.mjs');
