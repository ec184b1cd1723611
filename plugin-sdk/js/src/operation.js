// What is to be judged: the state before, the state after, and what differs.

import { Document } from './document.js';
import { answered, plain } from './read.js';

export class Operation {
  #handle;
  #states = {};

  constructor(handle) {
    this.#handle = handle;
  }

  get decisionId() {
    return this.#handle.decisionId();
  }

  get action() {
    return this.#handle.action();
  }

  get resourceType() {
    return this.#handle.resourceType();
  }

  get actor() {
    return this.#handle.actor();
  }

  get time() {
    return new Date(Number(this.#handle.time()));
  }

  get before() {
    return this.#state('before');
  }

  get after() {
    return this.#state('after');
  }

  #state(name) {
    if (!(name in this.#states)) {
      const handle = this.#handle[name]();
      this.#states[name] = handle === null || handle === undefined ? undefined : new Document(handle);
    }
    return this.#states[name];
  }

  differences(under) {
    const found = answered(() => this.#handle.differences(under ?? null));
    return found.map(({ path, before, after }) => ({ path, before: plain(before), after: plain(after) }));
  }

  changes(path) {
    return answered(() => this.#handle.changes(path));
  }

  newTexts(path) {
    const texts = this.after?.texts(path) ?? [];
    if (this.action !== 'update' || texts.length === 0) return texts;
    const old = new Set(this.before?.texts(path));
    return texts.filter((text) => !old.has(text));
  }

  added(path) {
    return this.differences(path).filter(({ before }) => before === undefined).flatMap(({ after }) => named(after));
  }

  removed(path) {
    return this.differences(path).filter(({ after }) => after === undefined).flatMap(({ before }) => named(before));
  }

  turnsOn(path) {
    return isOn(this.after, path) && !isOn(this.before, path);
  }

  turnsOff(path) {
    return isOn(this.before, path) && !isOn(this.after, path);
  }
}

const isOn = (document, path) => document?.flag(path) ?? false;

/** A value of a multi-valued attribute by its `value`. */
function named(value) {
  if (typeof value === 'string') return [value];
  return typeof value?.value === 'string' ? [value.value] : [];
}
