// SCIM paths and filters over JSON: `emails[type eq "work"].value`, `urn:…:User:manager.value`, `userName sw "a" and active eq true`.
// A leaf of the test double: what it does not understand is an error, never a wrong answer.

const SEVERAL = [
  'emails', 'phonenumbers', 'ims', 'photos', 'addresses', 'groups', 'entitlements', 'roles', 'x509certificates', 'members',
];

/** RFC 7643, 3.1 and 7: where two spellings that differ in case are two values. */
const CASE_EXACT = ['id', 'externalid', '$ref'];

const CORE = 'urn:ietf:params:scim:schemas:core:2.0:';

export const isCore = (urn) => urn.toLowerCase().startsWith(CORE);

/** The member of an object in any spelling of case; `undefined` for what is no value. */
export function member(object, name) {
  const key = name in object ? name : Object.keys(object).find((key) => key.toLowerCase() === name.toLowerCase());
  return key === undefined || object[key] === null ? undefined : object[key];
}

export const elements = (value) => (Array.isArray(value) ? value : [value]);

export const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

class Path {
  constructor(written, filter, sub) {
    const colon = written.lastIndexOf(':');
    const [attribute, own, ...more] = written.slice(colon + 1).split('.');
    this.written = written;
    this.urn = colon < 0 ? undefined : written.slice(0, colon);
    this.attribute = attribute;
    this.filter = filter;
    this.sub = sub ?? own;
    if (attribute === '' || this.sub === '' || more.length > 0) throw new Error(`\`${written}\` is no attribute path`);
  }

  /** In lower case, without value filter: what grants are about. */
  get name() {
    const prefix = this.urn === undefined || isCore(this.urn) ? '' : `${this.urn}:`;
    return `${prefix}${this.attribute}${this.sub === undefined ? '' : `.${this.sub}`}`.toLowerCase();
  }

  /** The names of all attributes that it looks at: its own, and those that its filter compares. */
  names(prefix = '') {
    const own = prefix + this.name;
    if (this.filter === undefined) return [own];
    const attribute = this.sub === undefined ? own : own.slice(0, own.lastIndexOf('.'));
    return [...this.filter.names(`${attribute}.`), own];
  }

  get isSeveral() {
    return SEVERAL.includes(this.attribute.toLowerCase());
  }

  get isCaseExact() {
    return CASE_EXACT.includes((this.sub ?? this.attribute).toLowerCase());
  }

  /** Every value that it selects. */
  select(document) {
    const whole = this.urn === undefined ? undefined : member(document, this.written);
    if (whole !== undefined) return [whole];
    let container = document;
    if (this.urn !== undefined) container = member(document, this.urn) ?? (isCore(this.urn) ? document : {});
    const value = member(container, this.attribute);
    if (value === undefined) return [];
    const chosen = elements(value).filter((element) => this.filter === undefined || this.filter.holdsOf(element));
    if (this.sub === undefined) return chosen;
    const parts = chosen.map((element) => (isObject(element) ? member(element, this.sub) : undefined));
    return parts.filter((part) => part !== undefined).flatMap(elements);
  }
}

class Filter {
  constructor(holds, names) {
    this.holds = holds;
    this.names = names;
  }

  /** Whether it holds of one value of a multi-valued attribute; the value of a simple one is called `value`. */
  holdsOf(element) {
    return this.holds(isObject(element) ? element : { value: element });
  }
}

const OPERATORS = {
  eq: (value, literal) => value === literal,
  co: (value, literal) => typeof value === 'string' && value.includes(literal),
  sw: (value, literal) => typeof value === 'string' && value.startsWith(literal),
  ew: (value, literal) => typeof value === 'string' && value.endsWith(literal),
};

function comparison(path, operator, literal) {
  const fold = (value) => (typeof value === 'string' && !path.isCaseExact ? value.toLowerCase() : value);
  // RFC 7643, 2.4: the significant sub-attribute of a complex value is `value`.
  const significant = (value) => (isObject(value) ? member(value, 'value') : value);
  const holds = (document) => {
    const values = path.select(document).map((value) => fold(significant(value)));
    if (operator === 'ne' && values.length > 1) throw new Error(`\`${path.name}\` has several values: write \`not (… eq …)\``);
    const matches = OPERATORS[operator === 'ne' ? 'eq' : operator];
    const any = values.some((value) => matches(value, fold(literal)));
    return operator === 'ne' ? !any : any;
  };
  return new Filter(holds, (prefix) => path.names(prefix));
}

const presence = (path) => {
  const holds = (document) => path.select(document).some((value) => value !== '');
  return new Filter(holds, (prefix) => path.names(prefix));
};

const both = (left, right, holds) => new Filter(holds, (prefix) => [...left.names(prefix), ...right.names(prefix)]);

/** Reads paths and filters, character by character. */
class Reader {
  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  match(pattern) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found === null) return undefined;
    this.at = pattern.lastIndex;
    return found[0].trim();
  }

  expect(pattern, what) {
    return this.match(pattern) ?? this.fail(what);
  }

  fail(what) {
    throw new Error(`\`${this.text}\`: ${what} is expected at ${this.at}`);
  }

  end(made) {
    return this.at === this.text.length ? made : this.fail('the end');
  }

  path() {
    const written = this.expect(/\s*[A-Za-z$][\w$:.-]*/y, 'an attribute');
    let filter;
    let sub;
    if (this.match(/\[/y) !== undefined) {
      filter = this.filter();
      this.expect(/\s*\]/y, '`]`');
      if (this.match(/\./y) !== undefined) sub = this.expect(/[A-Za-z$][\w$-]*/y, 'a sub-attribute');
    }
    return new Path(written, filter, sub);
  }

  /** `or` binds less than `and`, which binds less than `not`. */
  filter() {
    let left = this.conjunction();
    while (this.match(/\s*or\b/iy) !== undefined) {
      const [one, other] = [left, this.conjunction()];
      left = both(one, other, (document) => one.holds(document) || other.holds(document));
    }
    return left;
  }

  conjunction() {
    let left = this.single();
    while (this.match(/\s*and\b/iy) !== undefined) {
      const [one, other] = [left, this.single()];
      left = both(one, other, (document) => one.holds(document) && other.holds(document));
    }
    return left;
  }

  single() {
    const negated = this.match(/\s*not\s*(?=\()/iy) !== undefined;
    if (this.match(/\s*\(/y) !== undefined) {
      const inner = this.filter();
      this.expect(/\s*\)/y, '`)`');
      return negated ? new Filter((document) => !inner.holds(document), inner.names) : inner;
    }
    const path = this.path();
    const operator = this.match(/\s+(?:pr|eq|ne|co|sw|ew|gt|ge|lt|le)\b/iy)?.toLowerCase();
    // `emails[type eq "work"]` is a filter by itself: whether there is such a value.
    if (operator === 'pr' || (operator === undefined && path.filter !== undefined)) return presence(path);
    if (operator === undefined) return this.fail('an operator');
    if (operator !== 'ne' && !(operator in OPERATORS)) throw new Error(`native tests do not know the operator \`${operator}\``);
    const literal = this.expect(/\s*(?:"(?:[^"\\]|\\.)*"|true|false|null|-?\d[\d.eE+-]*)/y, 'a value');
    return comparison(path, operator, JSON.parse(literal));
  }
}

/** A path, or an error that says what is wrong with it. */
export function parsePath(text) {
  const reader = new Reader(text);
  return reader.end(reader.path());
}

/** A filter, likewise. */
export function parseFilter(text) {
  const reader = new Reader(text.trim());
  return reader.end(reader.filter());
}
