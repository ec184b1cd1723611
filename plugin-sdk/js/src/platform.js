// Whoever answers: the host through the contract (`component.js`), or the double of `testing.js`. Both offer the interfaces of
// the contract by their names, with functions named as JavaScript names them.

let current = null;

/** Lets this platform answer from now on; gives the one that did before. */
export function enter(platform) {
  const before = current;
  current = platform;
  return before;
}

/** An interface of the contract. */
export function ask(name) {
  if (current === null) throw new Error('there is nobody to ask: call this while a constraint is evaluated');
  const answers = current[name];
  if (answers === undefined) {
    throw new Error(`this plugin does not import \`${name}\`: put it into \`scruple.needs\` of its package.json`);
  }
  return answers;
}
