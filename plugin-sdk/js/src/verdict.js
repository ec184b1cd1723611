// The answer: allow, not applicable, deny or hold, and the reasons.

/** No objection. */
export const allow = () => ({ tag: 'allow' });

/** The rule has nothing to say here; counted apart from `allow`. */
export const notApplicable = () => ({ tag: 'not-applicable' });

/** Refuse. Give every reason at once, so that a person corrects everything in one go. */
export const deny = (...reasons) => ({ tag: 'deny', val: reasons });

/** Refuse if there is any reason to, allow otherwise. */
export const denyAny = (reasons) => (reasons.length === 0 ? allow() : { tag: 'deny', val: [...reasons] });

/** Refuse for now, keep the request and try again. */
export const hold = (reasons, { notBeforeSeconds = null, expiresAfterSeconds = null } = {}) => ({
  tag: 'hold',
  val: { reasons, notBeforeSeconds, expiresAfterSeconds },
});

/** One reason for a denial or a hold. */
export const reason = (code, message, { path, paths = path === undefined ? [] : [path], scimType = null } = {}) => ({
  code,
  message,
  paths,
  scimType,
});
