// Between the contract and a constraint, in a component. What `scruple plugin build` puts in front of it imports the host's
// interfaces and calls `serve`; nobody else does.

import { isConstraint } from './constraint.js';
import { Operation } from './operation.js';
import { enter } from './platform.js';

/** The exports of a component. What is thrown becomes `err(message)`: a fault, and no denial. */
export function serve(constraint, host) {
  if (!isConstraint(constraint)) {
    throw new Error('the default export of the module that `scruple.constraint` names is no constraint: make it with `constraint({ … })`');
  }
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
      evaluate(handle, text) {
        enter(host);
        try {
          return constraint.evaluate(new Operation(handle), constraint.readSettings(text));
        } catch (error) {
          throw message(error);
        }
      },
    },
  };
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
