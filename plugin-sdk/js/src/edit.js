// Edits of a rewriter, with the meaning that the operation of a SCIM PATCH has.

/** Sets an attribute, or all values of a multi-valued one; of a complex attribute, the sub-attributes that are given. `null` removes. */
export const set = (path, value) => ({ tag: 'set', path, value: value ?? null });

/** Appends one value to a multi-valued attribute, if it does not have it. */
export const append = (path, value) => ({ tag: 'append', path, value });

/** Removes an attribute, or the values that the path selects. */
export const remove = (path) => ({ tag: 'remove', path });

/** Edits as the contract has them. */
export function wired(edits) {
  if (typeof edits?.[Symbol.iterator] !== 'function') throw new Error(`\`rewrite\` gave ${String(edits)}, which is no list of edits`);
  return [...edits].map(({ tag, path, value }) => ({ tag, val: tag === 'remove' ? path : [path, JSON.stringify(value)] }));
}
