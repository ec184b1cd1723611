// Native unit tests, without WebAssembly and without a host.

import type { Constraint, Edit, Reason, Rewriter } from './index.js';

type Resource = { readonly [name: string]: unknown };

/** One operation and the tenant around it. States are whole resources, not requests. */
export class Scenario {
  private constructor();
  static create(resourceType: string, after: Resource): Scenario;
  static update(resourceType: string, before: Resource, after: Resource): Scenario;
  static delete(resourceType: string, before: Resource): Scenario;
  static assess(resourceType: string, resource: Resource): Scenario;
  /** Who asks; `test-client` otherwise. */
  actor(subject: string): this;
  /** When; the start of 2026 otherwise. */
  at(time: string | number | Date): this;
  /** There is also this user. It needs an `id`; its `groups` follow from the groups that have it as a member. */
  user(resource: Resource): this;
  group(resource: Resource): this;
  resource(resourceType: string, resource: Resource): this;
  /** There is this table: an object from key to row, or a list of keys. One that is not there has no answer, as on the host. */
  table(name: string, rows: Resource | readonly string[]): this;
  check(constraint: Constraint, settings?: unknown): Outcome;
  /** Asks a rewriter, and makes its edits. */
  rewrite(rewriter: Rewriter, settings?: unknown): Rewritten;
}

export interface Outcome {
  /** Why the constraint could not decide; `undefined` if it could. */
  readonly fault: string | undefined;
  readonly verdict: 'allow' | 'not-applicable' | 'deny' | 'hold';
  readonly isAllowed: boolean;
  readonly reasons: readonly Reason[];
  readonly codes: readonly string[];
  /** What was read, in order, as in `after userName` or `count User: active eq true`. */
  readonly reads: readonly string[];
  readonly warnings: readonly Reason[];
  readonly notes: readonly (readonly [key: string, value: string])[];
  readonly log: readonly string[];
}

/** What a rewriter led to. `edits` and `after` throw what it did, if there are none. */
export interface Rewritten {
  /** Why it could not rewrite, or why its edits cannot be made; `undefined` if all went well. */
  readonly fault: string | undefined;
  readonly edits: readonly Edit[];
  /** The state after, with the edits made. */
  readonly after: Resource;
  readonly reads: readonly string[];
  readonly warnings: readonly Reason[];
  readonly notes: readonly (readonly [key: string, value: string])[];
  readonly log: readonly string[];
}

/** Every problem that a constraint finds in settings, as in `/minimum: must not be 0`. */
export function settingsProblems(constraint: Constraint, settings: unknown): string[];
