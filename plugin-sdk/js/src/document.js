// One resource in one state, read value by value.
//
// Every read is recorded: ask for the narrowest path that decides. Paths are those of RFC 7644.

import { ReadError, answered, plain } from './read.js';

export class Document {
  #handle;

  constructor(handle) {
    this.#handle = handle;
  }

  get id() {
    return this.#handle.id() ?? undefined;
  }

  get resourceType() {
    return this.#handle.resourceType();
  }

  value(path) {
    return plain(answered(() => this.#handle.read(path)));
  }

  values(path) {
    return answered(() => this.#handle.readAll(path)).map(plain);
  }

  text(path) {
    return typed(path, this.value(path), 'string');
  }

  texts(path) {
    return this.values(path).map((value) => typed(path, value, 'string'));
  }

  flag(path) {
    return typed(path, this.value(path), 'boolean');
  }

  number(path) {
    return typed(path, this.value(path), 'number');
  }

  has(path) {
    return answered(() => this.#handle.has(path));
  }

  matches(filter) {
    return answered(() => this.#handle.matches(filter));
  }

  json(path) {
    return JSON.parse(answered(() => this.#handle.json(path)));
  }

  whole() {
    return JSON.parse(answered(() => this.#handle.json(null)));
  }
}

function typed(path, value, type) {
  if (value === undefined || typeof value === type) return value;
  throw new ReadError('wrong-type', `\`${path}\` is ${JSON.stringify(value)}, which is no ${type}`);
}
