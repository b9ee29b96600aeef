/** Everything that a key can be allowed to do, and what to tell a person about it. */
export const SCOPES = {
  'jobs:read': 'read jobs, their ledgers, transcripts and artifacts',
  'jobs:write': 'submit jobs',
  'approvals:write': 'grant and reject approvals',
  admin: 'see the queues of the whole installation',
} as const;

export type Scope = keyof typeof SCOPES;

export const ALL_SCOPES = Object.keys(SCOPES).filter(isScope);

/** True for a scope of the catalogue; for values that come from a row or a flag. */
export function isScope(text: string): text is Scope {
  return Object.hasOwn(SCOPES, text);
}

/** The form of a role: a free name that a key carries and an approval may ask for. */
const ROLE = /^[a-z][a-z0-9_.-]{0,63}$/;

/** The most roles of one key. */
export const MAX_ROLES = 20;

export function isRole(text: string): boolean {
  return ROLE.test(text);
}
