import type { FieldError, Json } from '#kernel';
import { scriptExpressions } from '../expressions/bind-script.js';
import { checkExpression, type ExpressionScope } from '../expressions/check-expression.js';
import { templateExpressions } from '../expressions/interpolate.js';
import type { ApprovalSubjectDto } from './approval.dto.js';
import { PHASES } from './definition.js';
import { DEFINITION_LIMITS as MAX } from './definition-limits.js';
import type { SubmitJobDto } from './job-definition.dto.js';
import { fieldError, memberPath } from './plain-json.js';
import type { StepDefinitionDto } from './step-definition.dto.js';

type Order = ReadonlyMap<string, number>;

/** Checks every expression of the job: it parses, its types fit, and it names only what is known when it runs. */
export function checkExpressions(job: SubmitJobDto): FieldError[] {
  const steps = Array.isArray(job.steps) ? job.steps.slice(0, MAX.steps) : [];
  const order = runOrder(steps);
  const checker = new TextChecker(order, -1).env(job.env, 'env');
  checker.template(job.concurrency?.key, 'concurrency.key');
  checker.template(job.rateLimit?.key, 'rateLimit.key');
  const errors = checker.errors;
  return steps.reduce((all, step, index) => {
    if (all.length >= MAX.reportedErrors) return all;
    return all.concat(checkStep(step, `steps[${index}]`, order));
  }, errors);
}

/** The position of every key: phase by phase, and in the order of the list inside a phase. The first of two equal keys counts. */
function runOrder(steps: StepDefinitionDto[]): Order {
  const order = new Map<string, number>();
  const rank = (step: StepDefinitionDto): number => Math.max(0, PHASES.indexOf(step.phase ?? 'EXECUTION'));
  for (const step of steps.toSorted((a, b) => rank(a) - rank(b))) {
    if (typeof step.key === 'string' && !order.has(step.key)) order.set(step.key, order.size);
  }
  return order;
}

function checkStep(step: StepDefinitionDto, path: string, order: Order): FieldError[] {
  const checker = new TextChecker(order, order.get(step.key) ?? order.size);
  checker.condition(step.when, `${path}.when`);
  checker.condition(step.condition, `${path}.condition`);
  checker.env(step.env, `${path}.env`);
  checker.script(step.run, `${path}.run`);
  checker.json(step.with, `${path}.with`);
  checker.json(step.paths, `${path}.paths`);
  checker.json(step.logicalKey, `${path}.logicalKey`);
  checker.subject(step.approval?.subject, `${path}.approval.subject`);
  if (checker.count > MAX.expressionsPerStep) {
    checker.errors.push(fieldError(path, 'maxExpressions', `must have at most ${MAX.expressionsPerStep} expressions`));
  }
  return checker.errors;
}

/** Collects the problems of the texts of one step. Values of a wrong type were reported before and are passed over. */
class TextChecker {
  readonly errors: FieldError[] = [];
  count = 0;

  constructor(
    private readonly order: Order,
    private readonly position: number,
  ) {}

  condition(source: unknown, path: string): void {
    if (typeof source !== 'string' || source.trim() === '' || source.length > MAX.expressionLength) return;
    this.expression(source, path, 'boolean');
  }

  env(env: unknown, path: string): this {
    if (typeof env !== 'object' || env === null || Array.isArray(env)) return this;
    for (const [name, value] of Object.entries(env).slice(0, MAX.envEntries))
      this.template(value, memberPath(path, name));
    return this;
  }

  json(value: Json | undefined, path: string): void {
    if (typeof value === 'string') this.template(value, path);
    else if (Array.isArray(value)) value.forEach((item, index) => this.json(item, `${path}[${index}]`));
    else if (typeof value === 'object' && value !== null) {
      for (const [key, member] of Object.entries(value)) this.json(member, memberPath(path, key));
    }
  }

  subject(subject: ApprovalSubjectDto | null | undefined, path: string): void {
    if (typeof subject !== 'object' || subject === null) return;
    this.template(subject.summary, `${path}.summary`);
    this.list(subject.paths, (glob, index) => this.template(glob, `${path}.paths[${index}]`));
    this.list(subject.artifacts, (artifact, index) =>
      this.template(artifact?.logicalKey, `${path}.artifacts[${index}].logicalKey`),
    );
  }

  private list<Item>(items: Item[] | null | undefined, check: (item: Item, index: number) => void): void {
    if (Array.isArray(items)) items.slice(0, MAX.paths).forEach(check);
  }

  template(text: unknown, path: string): void {
    if (typeof text !== 'string') return;
    const { expressions, problem } = templateExpressions(text);
    if (problem !== null) this.errors.push({ field: path, rule: 'expressionSyntax', message: `${path}: ${problem}` });
    for (const source of expressions) this.expression(source, path, 'value');
  }

  script(run: unknown, path: string): void {
    if (typeof run !== 'string') return;
    const { expressions, problems } = scriptExpressions(run);
    for (const problem of problems)
      this.errors.push({ field: path, rule: 'expressionPlace', message: `${path}: ${problem}` });
    for (const source of expressions) this.expression(source, path, 'value');
  }

  private expression(source: string, path: string, expects: ExpressionScope['expects']): void {
    if (++this.count > MAX.expressionsPerStep || this.errors.length >= MAX.reportedErrors) return;
    for (const { rule, message } of checkExpression(source, { order: this.order, position: this.position, expects })) {
      this.errors.push(fieldError(path, rule, message));
    }
  }
}
