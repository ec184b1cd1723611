// Filters out of other people's text.

/** A text as it stands in a filter, in quotes. */
export const quoted = (text) => JSON.stringify(text);

/** `path eq "text"`. */
export const equals = (path, text) => `${path} eq ${quoted(text)}`;

/** `path eq "one" or path eq "other"`; `undefined` if there are no texts, since no filter means "nothing". */
export const equalsAny = (path, texts) =>
  texts.length === 0 ? undefined : texts.map((text) => equals(path, text)).join(' or ');
