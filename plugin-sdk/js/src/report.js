// Say more than the verdict. Nothing here changes the outcome.

import { ask } from './platform.js';

/** Tells the client without refusing: a header of the response, and the decision log. */
export const warn = (reason) => ask('report').warn(reason);

/** Puts a fact into the decision log: what the rule concluded on the way. */
export const note = (key, value) => ask('report').note(key, value);
