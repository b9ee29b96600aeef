import { ExecutorRegistry } from './executor-registry.js';
import type { StepExecutor } from './executor.js';

function executor(type: StepExecutor['type']): StepExecutor {
  return { type, execute: () => Promise.resolve({ kind: 'recorded' }) };
}

describe('ExecutorRegistry', () => {
  it('is complete with one executor for each type that a job may have', () => {
    expect(() => new ExecutorRegistry([executor('COMMAND'), executor('GATE'), executor('ARTIFACT')])).not.toThrow();
  });

  it('names the types that nobody executes', () => {
    expect(() => new ExecutorRegistry([executor('GATE')])).toThrow('no executor for step type COMMAND, ARTIFACT');
  });

  it('refuses two executors for one type', () => {
    expect(
      () => new ExecutorRegistry([executor('COMMAND'), executor('GATE'), executor('ARTIFACT'), executor('GATE')]),
    ).toThrow('two executors for step type GATE');
  });
});
