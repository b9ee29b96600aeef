import { BuiltInActions } from './built-in-actions.js';

/** The built-in actions of this version: none yet. Submission refuses `uses` with another name, and workers run exactly these. */
export const INSTALLED_ACTIONS = new BuiltInActions([]);
