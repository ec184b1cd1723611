// What differs between two states, at the finest path, named as the host names it. A leaf of the test double.

import { elements, member } from './path.js';

/** Kept by the host itself, so never part of what a client changes. */
const KEPT_BY_HOST = ['schemas', 'id', 'meta', 'groups'];

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
const names = (one, other) => [...new Set([...Object.keys(one), ...Object.keys(other)])].sort();

/** Every effective difference. A delete has none: everything goes. */
export function differences(before, after) {
  if (after === undefined) return [];
  return names(before ?? {}, after)
    .filter((name) => !KEPT_BY_HOST.includes(name.toLowerCase()))
    .flatMap((name) => {
      const [old, now] = [member(before ?? {}, name), member(after, name)];
      // An extension is a container, not an attribute: its own attributes are named behind a colon.
      return name.includes(':') ? parts(`${name}:`, old, now) : compare(name, old, now);
    });
}

function compare(path, before, after) {
  if (same(before, after)) return [];
  if (Array.isArray(before) || Array.isArray(after)) return several(path, before, after);
  if (isObject(before) || isObject(after)) return parts(`${path}.`, before, after);
  return [{ path, before, after }];
}

/** Attributes of an extension, sub-attributes of a complex one. */
function parts(prefix, before, after) {
  const [old, now] = [isObject(before) ? before : {}, isObject(after) ? after : {}];
  return names(old, now).flatMap((name) => compare(`${prefix}${name}`, member(old, name), member(now, name)));
}

/** A value of a multi-valued attribute is the same value as long as it is named by the same filter. */
function several(path, before, after) {
  const [old, now] = [before, after].map((value) => (value === undefined ? [] : elements(value)));
  const named = (list, name) => list.find((element) => elementPath(path, element) === name);
  const changed = old.flatMap((element) => {
    const name = elementPath(path, element);
    const other = named(now, name);
    if (isObject(element) && isObject(other)) return parts(`${name}.`, element, other);
    return same(element, other) ? [] : [{ path: name, before: element, after: other }];
  });
  const added = now.filter((element) => named(old, elementPath(path, element)) === undefined);
  return [...changed, ...added.map((after) => ({ path: elementPath(path, after), before: undefined, after }))];
}

/** `emails[value eq "a@x"]`; by `type` where a value has no `value`, as addresses. */
function elementPath(path, element) {
  if (!isObject(element)) return `${path}[value eq ${JSON.stringify(element)}]`;
  const key = ['value', 'type'].find((key) => member(element, key) !== undefined);
  return key === undefined ? path : `${path}[${key} eq ${JSON.stringify(member(element, key))}]`;
}
