// Other resources of the same tenant, as they stand before this operation. Asked for with `looksUp`, and with `directory` in
// `scruple.needs` of package.json. The decision is committed only if every answer still holds then.

import { Document } from './document.js';
import { ask } from './platform.js';
import { answered } from './read.js';

export function get(resourceType, id) {
  const found = answered(() => ask('directory').get(resourceType, id));
  return found === null || found === undefined ? undefined : new Document(found);
}

export function find(resourceType, filter, limit) {
  return answered(() => ask('directory').find(resourceType, filter, limit)).map((handle) => new Document(handle));
}

export function count(resourceType, filter) {
  return Number(answered(() => ask('directory').count(resourceType, filter)));
}

export function exists(resourceType, filter) {
  return find(resourceType, filter, 1).length > 0;
}

export function isMember(groupId, memberId, { transitive = false } = {}) {
  return answered(() => ask('directory').isMember(groupId, memberId, transitive));
}
