import { AppError } from '#kernel';
import { parseWorkspaceChange } from './workspace-change.js';

const refused = (input: unknown): string => {
  try {
    return `accepted ${JSON.stringify(parseWorkspaceChange(input))}`;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    expect(error.code).toBe('VALIDATION_FAILED');
    return error.message;
  }
};

describe('a change of a workspace', () => {
  it('takes what is given and leaves out the rest', () => {
    expect(parseWorkspaceChange({ maxRunningJobs: null })).toEqual({ maxRunningJobs: null });
    const all = { maxRunningJobs: 5, requireFourEyes: true, allowNetwork: false };
    expect(parseWorkspaceChange(all)).toEqual(all);
  });

  it.each([
    [null, /must be an object/],
    [[], /must be an object/],
    [{}, /names no setting; there are: maxRunningJobs/],
    [{ maxRunningJobs: 0 }, /maxRunningJobs must be a whole number from 1 to 100000, or null/],
    [{ maxRunningJobs: '3' }, /maxRunningJobs must be a whole number/],
    [{ allowNetwork: null }, /allowNetwork must be true or false/],
    [{ name: 'x', requireFourEyes: 1 }, /name is not a setting.*; requireFourEyes must be/],
    [JSON.parse('{"__proto__": true, "toString": true}'), /__proto__ is not a setting.*; toString is not/],
  ])('refuses %j', (input, message) => {
    expect(refused(input)).toMatch(message);
  });
});
