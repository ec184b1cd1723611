// Reference data that the tenant uploads beside the plugin. Asked for with `tables`, and with `tables` in `scruple.needs` of
// package.json. Keys are compared as they are. A table that is granted and not there is an error, not an empty one.

import { ask } from './platform.js';
import { answered } from './read.js';

export function contains(table, key) {
  return answered(() => ask('tables').contains(table, key));
}

export function get(table, key) {
  const row = answered(() => ask('tables').get(table, key));
  return row === null || row === undefined ? undefined : JSON.parse(row);
}
