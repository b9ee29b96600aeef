import { Injectable } from '@nestjs/common';
import type { StepDefinition } from '../definition/definition.js';
import { failed, type StepExecutor, type StepOutcome, type StepRun } from './executor.js';

/** The step types that a submitted job may have. The compiler refuses this list when a type of a definition is missing from it. */
const EXECUTABLE: Record<StepDefinition['type'], true> = { COMMAND: true, GATE: true, ARTIFACT: true };

/** Finds the executor of a step's type. A process whose executors do not cover every type exactly once does not start. */
@Injectable()
export class ExecutorRegistry {
  private readonly executors = new Map<string, StepExecutor>();

  /** @throws Error naming the types that have no executor, or more than one */
  constructor(executors: readonly StepExecutor[]) {
    for (const executor of executors) {
      if (this.executors.has(executor.type)) throw new Error(`two executors for step type ${String(executor.type)}`);
      this.executors.set(executor.type, executor);
    }
    const missing = Object.keys(EXECUTABLE).filter((type) => !this.executors.has(type));
    if (missing.length > 0) throw new Error(`no executor for step type ${missing.join(', ')}`);
  }

  /** True for a step whose attempt goes on when its job is claimed again. */
  resumes(definition: StepDefinition): boolean {
    return this.executors.get(definition.type)?.resumes?.(definition) ?? false;
  }

  async execute(run: StepRun): Promise<StepOutcome> {
    const executor = this.executors.get(run.definition.type);
    if (executor === undefined)
      return failed('UNKNOWN_ACTION', `this worker cannot run steps of type ${run.definition.type}`);
    return executor.execute(run);
  }
}
