// A rewriter's edits over JSON, as the host makes them by its PATCH. A leaf of the test double: without schemas it cannot tell
// everything, and what it does not know is an error. Whether what is left is valid, only the host says.

import { elements, isCore, isObject, parsePath } from './path.js';

/** The state after with these edits, of which each has to be among the declared writes. */
export function withEdits(after, edits, writes) {
  const made = structuredClone(after);
  for (const edit of edits) {
    try {
      const path = parsePath(edit.path);
      checkWrite(path, writes);
      make(edit, path, made);
    } catch (error) {
      throw new Error(`the edit of \`${edit.path}\` cannot be made: ${error.message}`);
    }
    prune(made);
  }
  return made;
}

function checkWrite(path, writes) {
  const declared = writes.map((write) => (write === '*' ? write : parsePath(write).name));
  const covers = (name) => (grant) =>
    grant === '*' || name === grant || name.startsWith(`${grant}.`) || name.startsWith(`${grant}:`);
  const missing = path.names().find((name) => !declared.some(covers(name)));
  if (missing !== undefined) throw new Error(`not granted: \`${missing}\` is not among the declared writes`);
}

function make(edit, path, document) {
  const isWhole = (key) => key.includes(':') && key.toLowerCase() === path.written.toLowerCase();
  if (Object.keys(document).some(isWhole)) throw new Error('native tests know no edits of a whole extension');
  let container = document;
  if (path.urn !== undefined && !isCore(path.urn)) {
    const key = keyOf(document, path.urn);
    container = document[key] ??= {};
  }
  const key = keyOf(container, path.attribute);
  const change = { set, append, remove }[edit.tag];
  if (change === undefined) throw new Error(`there is no edit \`${edit.tag}\``);
  container[key] = change(container[key] ?? null, path, edit.value);
}

function set(value, path, wanted) {
  if (path.sub === undefined) {
    if (path.filter !== undefined) return eachMatch(value, path, () => wanted);
    return isObject(value) && isObject(wanted) ? merged(value, wanted) : wanted;
  }
  const change = (complex) => (isObject(complex) ? merged(complex, { [path.sub]: wanted }) : complex);
  if (path.filter !== undefined) return eachMatch(value, path, change);
  if (Array.isArray(value)) return value.map(change);
  if (value !== null) return change(value);
  return path.isSeveral ? [{ [path.sub]: wanted }] : { [path.sub]: wanted };
}

/** A value of the same `value` and `type` is the same one. */
function append(value, path, wanted) {
  if (path.filter !== undefined || path.sub !== undefined) throw new Error('it is no multi-valued attribute');
  if (Array.isArray(wanted) || (wanted ?? null) === null) throw new Error('one value can be appended at a time, and no list');
  if (value === null && !path.isSeveral) throw new Error('native tests do not know whether it has several values');
  if (value !== null && !Array.isArray(value)) throw new Error('it is no multi-valued attribute');
  const values = value ?? [];
  const isSame = (old) =>
    isObject(old) && isObject(wanted) && 'value' in wanted
      ? old.value === wanted.value && old.type === wanted.type
      : JSON.stringify(old) === JSON.stringify(wanted);
  const place = values.findIndex(isSame);
  if (place < 0) return [...values, wanted];
  return values.map((old, at) => (at === place && isObject(old) ? { ...old, ...wanted } : old));
}

function remove(value, path) {
  const take = (part) => {
    if (path.sub === undefined) return null;
    return isObject(part) ? merged(part, { [path.sub]: null }) : part;
  };
  if (path.filter !== undefined) return eachMatch(value, path, take);
  return Array.isArray(value) && path.sub !== undefined ? value.map(take) : take(value);
}

/** Changes every value that the filter selects; there has to be one. */
function eachMatch(value, path, change) {
  let found = false;
  const changed = (value === null ? [] : elements(value)).map((element) => {
    if (!path.filter.holdsOf(element)) return element;
    found = true;
    return change(element);
  });
  if (!found) throw new Error('it selects no value, and native tests make none of a filter');
  return Array.isArray(value) ? changed : changed[0];
}

function merged(complex, parts) {
  const made = { ...complex };
  for (const [name, part] of Object.entries(parts)) made[keyOf(made, name)] = part;
  return made;
}

/** The member's name as the object spells it. */
const keyOf = (object, name) => Object.keys(object).find((key) => key.toLowerCase() === name.toLowerCase()) ?? name;

/** RFC 7643, 2.5: `null`, an empty list and an empty object are no value. */
function prune(object) {
  const isNothing = (value) => value === null || (typeof value === 'object' && Object.keys(value).length === 0);
  for (const [name, value] of Object.entries(object)) {
    if (Array.isArray(value)) {
      value.filter(isObject).forEach(prune);
      object[name] = value.filter((element) => !isNothing(element));
    } else if (isObject(value)) {
      prune(value);
    }
    if (isNothing(object[name])) delete object[name];
  }
}
