// A constraint or a rewriter: what it is and asks for, its settings, and its function.

import { readAll, schemaOf } from './settings.js';

const ACTIONS = ['create', 'update', 'delete', 'assess'];
const OF_BOTH = [
  'name', 'version', 'summary', 'resourceTypes', 'actions', 'reads', 'looksUp', 'tables', 'labels', 'settings', 'checkSettings',
  'writes', 'rewrite',
];

class Rule {
  constructor(definition) {
    Object.assign(this, definition);
    Object.freeze(this);
  }

  /** The descriptor of the contract. */
  describe() {
    return {
      name: this.name,
      version: this.version,
      summary: this.summary,
      settingsSchema: JSON.stringify(schemaOf(this.settings)),
      resourceTypes: this.resourceTypes,
      actions: this.actions,
      reads: this.reads,
      writes: this.writes,
      capabilities: [
        ...this.looksUp.map((type) => `directory:${type}`),
        ...this.tables.map((table) => `tables:${table}`),
      ],
      labels: Object.entries(this.labels),
    };
  }

  /** Settings from their JSON text. A tenant that set nothing has set an empty object. */
  readSettings(text) {
    return readAll(this.settings, JSON.parse(text.trim() === '' ? '{}' : text));
  }
}

/** Declares a constraint. What is misspelled is an error here, and not a rule that never applies. */
export function constraint(definition) {
  const more = definition.rewrite === undefined ? [] : ['writes'];
  return rule('constraint', definition, [...OF_BOTH, 'evaluate'], ['evaluate', ...more]);
}

/** Declares a rewriter, likewise. */
export function rewriter(definition) {
  return rule('rewriter', definition, OF_BOTH, ['rewrite', 'writes']);
}

function rule(what, definition, known, needed) {
  const unknown = Object.keys(definition).find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`a ${what} has no \`${unknown}\`; it has ${known.join(', ')}`);
  for (const name of ['name', 'version', 'summary', ...needed, 'actions']) {
    if (definition[name] === undefined) throw new Error(`a ${what} needs \`${name}\``);
  }
  const action = definition.actions.find((action) => !ACTIONS.includes(action));
  if (action !== undefined) throw new Error(`there is no action \`${action}\`; there are ${ACTIONS.join(', ')}`);
  return new Rule({
    resourceTypes: [], reads: [], writes: [], looksUp: [], tables: [], labels: {}, settings: {}, checkSettings: () => [],
    ...definition,
  });
}

/** Whether something was made by `constraint` or `rewriter`. */
export const isRule = (value) => value instanceof Rule;

/** One thing wrong with settings: a JSON Pointer into them (`/attributes/0`; empty for all of them), and what. */
export const problem = (pointer, message) => ({ pointer, message });
