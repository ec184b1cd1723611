// What the host refuses to answer, and values as JavaScript has them.

/** The host did not answer. Uncaught, it ends the evaluation as a fault, never as a denial. */
export class ReadError extends Error {
  /** @param kind `invalid`, `not-granted`, `budget-exhausted`, `unavailable`, `wrong-type`, `other` */
  constructor(kind, message) {
    super(`${kind.replace('-', ' ')}: ${message}`);
    this.name = 'ReadError';
    this.kind = kind;
  }
}

/** What `read` gives; the contract's error is thrown as a `ReadError`. */
export function answered(read) {
  try {
    return read();
  } catch (error) {
    const said = error?.payload ?? error;
    if (typeof said?.tag === 'string') throw new ReadError(said.tag, String(said.val ?? ''));
    throw error;
  }
}

/** A value of the contract as one of JavaScript: a complex one as what its JSON says; an absent one as `undefined`. */
export function plain(value) {
  if (value === null || value === undefined) return undefined;
  switch (value.tag) {
    case 'complex':
      return JSON.parse(value.val);
    case 'integer':
      return Number(value.val);
    default:
      return value.val;
  }
}
