import type { Json } from '#kernel';
import type { StepOutcome, StepRun } from './executor.js';
import type { CommandStepDefinition } from '../definition/definition.js';

/** A built-in action: what a COMMAND step runs when it says `uses` instead of `run`. It runs in the worker itself, not in the sandbox. */
export interface BuiltInAction {
  /** As written behind `uses`, such as `git.clone`. */
  readonly name: string;
  /** @param input the step's `with`, expressions evaluated */
  run(input: { [key: string]: Json }, run: StepRun<CommandStepDefinition>): Promise<StepOutcome>;
}

/** The built-in actions by name. Submission accepts `uses` for exactly these. */
export class BuiltInActions {
  private readonly actions: Map<string, BuiltInAction>;

  /** @throws Error when two actions have one name */
  constructor(actions: readonly BuiltInAction[] = []) {
    this.actions = new Map(actions.map((action) => [action.name, action]));
    if (this.actions.size !== actions.length) throw new Error('two built-in actions have the same name');
  }

  get(name: string): BuiltInAction | undefined {
    return this.actions.get(name);
  }

  get names(): ReadonlySet<string> {
    return new Set(this.actions.keys());
  }
}
