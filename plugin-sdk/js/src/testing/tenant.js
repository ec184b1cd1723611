// The host's side of the contract over JSON in memory: what it answers, and what it refuses.

import { differences } from './differences.js';
import { member, parseFilter, parsePath } from './path.js';

const refused = (tag, val) => Object.assign(new Error(`${tag}: ${val}`), { payload: { tag, val } });

/** What the parser says of a path or a filter, as the host would. */
function parsed(parse, text) {
  try {
    return parse(text);
  } catch (error) {
    throw refused('invalid', error.message);
  }
}

/** A value of JSON as one of the contract. */
function wire(value) {
  if (value === undefined) return null;
  switch (typeof value) {
    case 'string':
      return { tag: 'text', val: value };
    case 'boolean':
      return { tag: 'boolean', val: value };
    case 'number':
      return { tag: Number.isInteger(value) ? 'integer' : 'decimal', val: value };
    default:
      return { tag: 'complex', val: JSON.stringify(value) };
  }
}

export class Tenant {
  recorded = { reads: [], warnings: [], notes: [], log: [] };

  constructor(constraint, resources, tables) {
    this.granted = constraint.reads.map((path) => parsePath(path).name);
    this.capabilities = constraint.describe().capabilities;
    this.resources = resources.map(({ type, resource }) => ({ type, resource: this.withGroups(type, resource, resources) }));
    this.resources.sort((one, other) => (one.resource.id < other.resource.id ? -1 : 1));
    this.tables = tables;
  }

  /** `groups` of a user is read-only and follows from the members of groups. */
  withGroups(type, resource, others) {
    if (type !== 'User' || resource === undefined) return resource;
    const groups = others.filter(
      (other) => other.type === 'Group' && (other.resource.members ?? []).some(({ value }) => value === resource.id),
    );
    const shown = groups.map(({ resource: { id, displayName } }) => ({ value: id, display: displayName, type: 'direct' }));
    return shown.length === 0 ? resource : { ...resource, groups: shown };
  }

  check(names) {
    const covers = (name) => (grant) => name === grant || name.startsWith(`${grant}.`) || name.startsWith(`${grant}:`);
    const free = (name) => this.granted.length === 0 || ['id', 'meta', 'schemas'].includes(name);
    const missing = names.find((name) => !free(name) && !this.granted.some(covers(name)));
    if (missing !== undefined) throw refused('not-granted', `\`${missing}\` is not among the declared reads`);
  }

  isGranted(name) {
    try {
      this.check([name.toLowerCase()]);
      return true;
    } catch {
      return false;
    }
  }

  checkCapability(kind, name) {
    const wanted = `${kind}:${name}`;
    if (this.capabilities.includes(wanted) || (kind === 'tables' && this.capabilities.includes('tables:*'))) return;
    throw refused('not-granted', `\`${wanted}\` is not among the declared capabilities`);
  }

  /** Records a read and answers it, if all the attributes that it looks at are granted. */
  read(what, names, answer) {
    this.check(names);
    this.recorded.reads.push(what);
    try {
      return answer();
    } catch (error) {
      throw error.payload === undefined ? refused('invalid', error.message) : error;
    }
  }

  document(label, type, state) {
    const select = (path, then) => {
      const found = parsed(parsePath, path);
      return this.read(`${label} ${path}`, found.names(), () => then(found.select(state), found));
    };
    return {
      id: () => state.id ?? null,
      resourceType: () => type,
      read: (path) => select(path, (values) => wire(values[0])),
      readAll: (path) => select(path, (values) => values.map(wire)),
      has: (path) => select(path, (values) => values.length > 0),
      matches: (filter) => {
        const found = parsed(parseFilter, filter);
        return this.read(`${label} matches ${filter}`, found.names(''), () => found.holds(state));
      },
      json: (path) => {
        if (path !== null) {
          return select(path, (values, found) => JSON.stringify(found.isSeveral ? values : (values[0] ?? null)));
        }
        const entries = Object.entries(state).filter(([name]) => this.isGranted(name));
        return this.read(label, [], () => JSON.stringify(Object.fromEntries(entries)));
      },
    };
  }

  operation({ action, resourceType, actor, timeMs, before, after }) {
    const found = differences(before, after);
    const under = (path) => {
      if (path === null) return found.filter((difference) => this.isGranted(parsePath(difference.path).name));
      const asked = parsed(parsePath, path);
      if (asked.filter !== undefined) throw refused('invalid', 'native tests know no differences under a value filter');
      const below = (name) => name === asked.name || name.startsWith(`${asked.name}.`) || name.startsWith(`${asked.name}:`);
      return this.read(`differences ${path}`, [asked.name], () =>
        found.filter((difference) => below(parsePath(difference.path).name)),
      );
    };
    const state = (label, given) => () =>
      given === undefined ? null : this.document(label, resourceType, this.withGroups(resourceType, given, this.resources));
    return {
      decisionId: () => 'test-decision',
      action: () => action,
      resourceType: () => resourceType,
      actor: () => actor,
      time: () => timeMs,
      before: state('before', before),
      after: state('after', after),
      differences: (path) =>
        under(path).map((difference) => ({
          path: difference.path, before: wire(difference.before), after: wire(difference.after),
        })),
      changes: (path) => under(path).length > 0,
    };
  }

  /** The interfaces that a constraint asks. */
  platform() {
    return {
      report: {
        warn: (reason) => this.recorded.warnings.push(reason),
        note: (key, value) => this.recorded.notes.push([key, value]),
      },
      log: { write: (level, message) => this.recorded.log.push(`${level}: ${message}`) },
      directory: this.directory(),
      tables: {
        contains: (table, key) => this.row(table, key) !== undefined,
        get: (table, key) => {
          const row = this.row(table, key);
          return row === undefined ? null : JSON.stringify(row);
        },
      },
    };
  }

  directory() {
    const matching = (what, type, filter) => {
      this.checkCapability('directory', type);
      const found = parsed(parseFilter, filter);
      const others = this.resources.filter((other) => other.type === type);
      return this.read(`${what} ${type}: ${filter}`, found.names(''), () => others.filter(({ resource }) => found.holds(resource)));
    };
    const document = ({ type, resource }) => this.document(`${type} ${resource.id}`, type, resource);
    const group = (id) => this.resources.find((other) => other.type === 'Group' && other.resource.id === id)?.resource;
    const isMember = (groupId, memberId, transitive, seen = new Set()) => {
      if (seen.has(groupId)) return false;
      seen.add(groupId);
      const members = (group(groupId)?.members ?? []).map(({ value }) => value);
      return members.includes(memberId) || (transitive && members.some((id) => isMember(id, memberId, true, seen)));
    };
    return {
      get: (type, id) => {
        this.checkCapability('directory', type);
        const found = this.resources.find((other) => other.type === type && other.resource.id === id);
        return this.read(`get ${type} ${id}`, [], () => (found === undefined ? null : document(found)));
      },
      find: (type, filter, limit) => matching('find', type, filter).slice(0, limit).map(document),
      count: (type, filter) => matching('count', type, filter).length,
      isMember: (groupId, memberId, transitive) => {
        this.checkCapability('directory', 'Group');
        return this.read(`is-member ${groupId} ${memberId}`, [], () => isMember(groupId, memberId, transitive));
      },
    };
  }

  row(table, key) {
    this.checkCapability('tables', table);
    const rows = member(this.tables, table);
    if (rows === undefined) throw refused('unavailable', `there is no table \`${table}\``);
    return this.read(`table ${table} ${key}`, [], () => (Object.hasOwn(rows, key) ? rows[key] : undefined));
  }
}
