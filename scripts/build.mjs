/** `npm run build`: everything from the sources, whether or not it looks up to date. */
import { build, ensureInstalled, requireNode } from './ensure.mjs';

requireNode();
ensureInstalled();
build();
