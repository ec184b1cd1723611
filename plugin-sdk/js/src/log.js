// Diagnostics for the author, in the host's log. Put no personal values here.

import { ask } from './platform.js';

const at = (level) => (message) => ask('log').write(level, message);

export const debug = at('debug');
export const info = at('info');
export const warning = at('warning');
export const error = at('error');
