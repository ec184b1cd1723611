// Between the contract and a constraint, in a component. What `scruple plugin build` puts in front of it imports the host's
// interfaces and calls `serve`; nobody else does.

import { isRule } from './constraint.js';
import { wired } from './edit.js';
import { Operation } from './operation.js';
import { enter } from './platform.js';

/** What a component exports, the function that does it, and the member of `scruple` in package.json that asks for it. */
const EXPORTS = { check: ['evaluate', 'constraint'], rewrite: ['rewrite', 'rewriter'] };

/** The exports of a component, of which these are to be there. What is thrown becomes `err(message)`: a fault, and no denial. */
export function serve(constraint, host, exported = ['check']) {
  checkExports(constraint, exported);
  const answer = (handle, text, ask) => {
    enter(host);
    try {
      return ask(new Operation(handle), constraint.readSettings(text));
    } catch (error) {
      throw message(error);
    }
  };
  return {
    about: {
      describe: () => constraint.describe(),
      checkSettings(text) {
        const problems = problemsOf(constraint, text);
        // A list that is thrown is the `err` of the contract.
        if (problems.length > 0) throw problems;
      },
    },
    check: {
      evaluate: (handle, text) => answer(handle, text, (operation, settings) => constraint.evaluate(operation, settings)),
    },
    rewrite: {
      rewrite: (handle, text) => answer(handle, text, (operation, settings) => wired(constraint.rewrite(operation, settings))),
    },
  };
}

/** What package.json says that the module has, it has to have, and nothing else. */
function checkExports(rule, exported) {
  const asked = (name) => `\`scruple.${EXPORTS[name][1]}\``;
  if (!isRule(rule)) {
    const [name] = exported;
    const what = EXPORTS[name][1];
    throw new Error(`the default export of the module that ${asked(name)} names is no ${what}: make it with \`${what}({ … })\``);
  }
  for (const [name, [does]] of Object.entries(EXPORTS)) {
    if (rule[does] === undefined && exported.includes(name)) throw new Error(`${asked(name)} names a module without \`${does}\``);
    if (rule[does] !== undefined && !exported.includes(name)) {
      throw new Error(`the module has \`${does}\`: name it as ${asked(name)} in package.json, too`);
    }
  }
}

/** Everything that a constraint finds wrong with settings. */
export function problemsOf(constraint, text) {
  try {
    return constraint.checkSettings(constraint.readSettings(text));
  } catch (error) {
    return [{ pointer: '', message: `settings: ${message(error)}` }];
  }
}

/** What went wrong, in words. */
export function message(error) {
  if (!(error instanceof Error)) return String(error);
  // A ReadError says what it is by itself; of others the name is half of what they say.
  return error.name === 'ReadError' || error.name === 'Error' ? error.message : `${error.name}: ${error.message}`;
}
