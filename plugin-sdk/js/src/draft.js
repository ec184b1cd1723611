// A working copy for rewriters.

import { set } from './edit.js';

/**
 * A state as a rewriter has left it so far, and the edits that make it so. What is set to what it is already is no edit. Paths have
 * no value filters here, and each is to be spelled in one way.
 */
export class Draft {
  #document;
  #made = new Map();

  /** Of the state after, mostly. */
  constructor(document) {
    this.#document = document;
  }

  value(path) {
    if (this.#made.has(path)) return copy(this.#made.get(path));
    const [whole, part] = split(path);
    if (part !== undefined && this.#made.has(whole)) {
      const made = copy(this.#made.get(whole));
      const parts = [made].flat().map((value) => value?.[part]);
      return Array.isArray(made) ? parts.filter((value) => value !== undefined) : (parts[0] ?? null);
    }
    let value = this.#document.json(path);
    // Parts of it may have been set by themselves.
    for (const [made, now] of this.#made) {
      const [whole, part] = split(made);
      if (whole === path && part !== undefined && !Array.isArray(value)) value = { ...value, [part]: copy(now) };
    }
    return value;
  }

  text(path) {
    const value = this.value(path);
    return typeof value === 'string' ? value : undefined;
  }

  set(path, value) {
    const wanted = copy(value ?? null);
    if (isSame(this.value(path), wanted)) return;
    for (const made of [...this.#made.keys()]) {
      if (split(made)[0] === path) this.#made.delete(made);
    }
    this.#made.set(path, wanted);
  }

  mapTexts(path, map) {
    const value = this.value(path);
    if (typeof value === 'string') return this.set(path, map(value));
    const isChanged = (text) => typeof text === 'string' && map(text) !== text;
    if (!Array.isArray(value) || !value.some(isChanged)) return;
    const [whole, part] = split(path);
    const all = this.value(whole).map((value) => {
      if (part === undefined) return isChanged(value) ? map(value) : value;
      return isChanged(value?.[part]) ? { ...value, [part]: map(value[part]) } : value;
    });
    this.set(whole, all);
  }

  /** The edits that make the state what it is here. */
  edits() {
    return [...this.#made].sort(([one], [other]) => (one < other ? -1 : 1)).map(([path, value]) => set(path, value));
  }
}

/** `name.givenName` → `name` and `givenName`. A dot in a URN is none of a path: it stands before the last colon. */
function split(path) {
  const names = path.lastIndexOf(':') + 1;
  const dot = path.indexOf('.', names);
  return dot < 0 ? [path, undefined] : [path.slice(0, dot), path.slice(dot + 1)];
}

/** The engine has no `structuredClone`. */
const copy = (value) => JSON.parse(JSON.stringify(value));

function isSame(one, other) {
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return one === other;
  const names = Object.keys(one);
  return (
    Array.isArray(one) === Array.isArray(other) &&
    names.length === Object.keys(other).length &&
    names.every((name) => Object.hasOwn(other, name) && isSame(one[name], other[name]))
  );
}
