// The settings of a constraint: declared once, for the JSON Schema that a tenant sees and for the types that an editor knows.

/** A text. */
export const text = (description, rules = {}) => ({ schema: { description, type: 'string', ...rules } });

/** A whole number. */
export const integer = (description, rules = {}) => ({ schema: { description, type: 'integer', ...rules } });

/** A number. */
export const number = (description, rules = {}) => ({ schema: { description, type: 'number', ...rules } });

/** True or false. */
export const flag = (description) => ({ schema: { description, type: 'boolean' } });

/** One of these texts. */
export const choice = (description, ...values) => ({ schema: { description, enum: values } });

/** A list. */
export const list = (description, items, rules = {}) => ({
  schema: { description, type: 'array', items: items.schema, ...rules },
  read: (value) => value.map((item) => read(items, item)),
});

/** An object from names to values of one kind. */
export const map = (description, values) => ({
  schema: { description, type: 'object', additionalProperties: values.schema },
  read: (value) => Object.fromEntries(Object.entries(value).map(([name, item]) => [name, read(values, item)])),
});

/** A part of the settings with members of its own. */
export const object = (description, members) => ({
  schema: { description, ...schemaOf(members) },
  read: (value) => readAll(members, value),
});

/** A setting that may be left out, and what it is then. */
export const optional = (setting, otherwise) => ({
  ...setting,
  schema: otherwise === undefined ? setting.schema : { ...setting.schema, default: otherwise },
  isOptional: true,
  otherwise,
});

/** The JSON Schema of settings with these members and no others. */
export function schemaOf(members) {
  const entries = Object.entries(members);
  const required = entries.filter(([, setting]) => !setting.isOptional).map(([name]) => name);
  return {
    type: 'object',
    properties: Object.fromEntries(entries.map(([name, { schema }]) => [name, schema])),
    ...(required.length === 0 ? {} : { required }),
    additionalProperties: false,
  };
}

/** Settings as the constraint gets them: what was left out is what it is otherwise. The host has checked them by the schema. */
export function readAll(members, given) {
  const known = Object.entries(members).map(([name, setting]) => [name, read(setting, given[name])]);
  return Object.fromEntries(known.filter(([, value]) => value !== undefined));
}

function read(setting, value) {
  if (value === undefined) return setting.otherwise;
  return setting.read === undefined ? value : setting.read(value);
}
