// Runs a constraint or a rewriter natively on a scenario, without WebAssembly and without a host: for `node --test`.
//
// What the constraint declares is held against it as the host would: an attribute outside `reads`, or a look-up that was not
// asked for, is refused here too. This is a double, not the host: what it does not understand is an error.

import { message, problemsOf } from './component.js';
import { Operation } from './operation.js';
import { enter } from './platform.js';
import { withEdits } from './testing/edits.js';
import { Tenant } from './testing/tenant.js';

/** The start of 2026. */
const TIME_MS = 1767225600000;

/** One operation and the tenant around it. */
export class Scenario {
  #asked;
  #resources = [];
  #tables = {};

  constructor(action, resourceType, before, after) {
    this.#asked = { action, resourceType, before, after, actor: { subject: 'test-client', scopes: ['scim'] }, timeMs: TIME_MS };
  }

  static create(resourceType, after) {
    return new Scenario('create', resourceType, undefined, after);
  }

  static update(resourceType, before, after) {
    return new Scenario('update', resourceType, before, after);
  }

  static delete(resourceType, before) {
    return new Scenario('delete', resourceType, before, undefined);
  }

  static assess(resourceType, resource) {
    return new Scenario('assess', resourceType, resource, resource);
  }

  actor(subject) {
    this.#asked.actor = { ...this.#asked.actor, subject };
    return this;
  }

  at(time) {
    this.#asked.timeMs = new Date(time).getTime();
    return this;
  }

  user(resource) {
    return this.resource('User', resource);
  }

  group(resource) {
    return this.resource('Group', resource);
  }

  resource(type, resource) {
    if (typeof resource.id !== 'string') throw new Error('a resource of the directory needs an `id`');
    this.#resources.push({ type, resource });
    return this;
  }

  table(name, rows) {
    this.#tables[name] = Array.isArray(rows) ? Object.fromEntries(rows.map((key) => [key, {}])) : rows;
    return this;
  }

  /** Evaluates a constraint with these settings. */
  check(constraint, settings = {}) {
    return this.#ask(constraint, (operation) => constraint.evaluate(operation, constraint.readSettings(JSON.stringify(settings))), Outcome);
  }

  /** Asks a rewriter with these settings, and makes its edits. */
  rewrite(rewriter, settings = {}) {
    const ask = (operation) => {
      const edits = [...rewriter.rewrite(operation, rewriter.readSettings(JSON.stringify(settings)))];
      if (this.#asked.after === undefined) throw new Error('there is no state after to be edited');
      return { edits, after: withEdits(this.#asked.after, edits, rewriter.writes) };
    };
    return this.#ask(rewriter, ask, Rewritten);
  }

  #ask(rule, ask, Answer) {
    const { resourceType: type, before } = this.#asked;
    // Look-ups answer as of before the operation, so the resource in that state is among the others.
    const others = this.#resources.filter((other) => other.type !== type || other.resource.id !== before?.id);
    const own = before?.id === undefined ? [] : [{ type, resource: before }];
    const tenant = new Tenant(rule, [...others, ...own], this.#tables);
    const outside = enter(tenant.platform());
    try {
      return new Answer(ask(new Operation(tenant.operation(this.#asked))), undefined, tenant.recorded);
    } catch (error) {
      return new Answer(undefined, error, tenant.recorded);
    } finally {
      enter(outside);
    }
  }
}

/** What was said, or thrown, and what was recorded on the way. */
class Said {
  #said;
  #error;

  constructor(said, error, { reads, warnings, notes, log }) {
    this.#said = said;
    this.#error = error;
    Object.assign(this, { reads, warnings, notes, log });
  }

  /** Why there is no answer; `undefined` if there is one. */
  get fault() {
    return this.#error === undefined ? undefined : message(this.#error);
  }

  /** The answer. Throws what was thrown, if there is none. */
  get answer() {
    if (this.#error !== undefined) throw this.#error;
    return this.#said;
  }
}

/** What a rewriter led to. */
class Rewritten extends Said {
  get edits() {
    return this.answer.edits;
  }

  get after() {
    return this.answer.after;
  }
}

/** What one evaluation led to. */
class Outcome extends Said {
  /** `allow`, `not-applicable`, `deny`, `hold`. Throws what the constraint did, if it could not decide. */
  get verdict() {
    return this.answer.tag;
  }

  get isAllowed() {
    return ['allow', 'not-applicable'].includes(this.verdict);
  }

  /** The reasons of a denial or a hold. */
  get reasons() {
    const { tag, val } = this.answer;
    return tag === 'deny' ? val : (val?.reasons ?? []);
  }

  get codes() {
    return this.reasons.map(({ code }) => code);
  }
}

/** Every problem that a constraint finds in settings, as in `/minimum: must not be 0`. */
export function settingsProblems(constraint, settings) {
  return problemsOf(constraint, JSON.stringify(settings)).map(({ pointer, message }) => `${pointer}: ${message}`);
}
