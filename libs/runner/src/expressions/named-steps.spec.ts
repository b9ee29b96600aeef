import { namedSteps } from './named-steps.js';

it.each([
  ['job.priority == 5', []],
  ['steps.build.outputs.tag', ['build']],
  ['steps["my-step"].exitCode == 0 && has(steps.build.outputs.x) || steps.build.attempt > 1', ['build', 'my-step']],
  ['job.tags.exists(t, t == steps.a.outputs.tag)', ['a']],
  ['"steps.quoted.outputs"', []],
])('%s looks at %j', (source, keys) => expect(namedSteps(source).sort()).toEqual(keys));
