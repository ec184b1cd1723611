// The rule of the golden components, for componentize-js (SpiderMonkey) and componentize-qjs (QuickJS) alike.

import { count } from 'scruple:constraint/directory@0.1.0';
import { note } from 'scruple:constraint/report@0.1.0';

const DEPARTMENT = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department';
const USER_NAME = /^[a-z][a-z0-9.-]{1,30}$/;

const reason = (code, message, path, scimType) => ({ code, message, paths: [path], scimType });

// What is absent is `undefined` to one of them and `null` to the other.

/** The text at a path, or `undefined`; throws what the host refuses. */
function text(document, path) {
  const value = document.read(path);
  return value?.tag === 'text' ? value.val : undefined;
}

export const about = {
  describe() {
    return {
      name: 'golden',
      version: '1.0.0',
      summary: 'A pattern for user names, a department for everybody, external ids that stay and are unique',
      settingsSchema: '{}',
      resourceTypes: ['User'],
      actions: ['create', 'update'],
      reads: ['userName', 'externalId', DEPARTMENT],
      writes: [],
      capabilities: ['directory:User'],
      labels: [],
    };
  },
  checkSettings(_settings) {},
};

function judge(operation) {
  const after = operation.after();
  if (after == null) return { tag: 'not-applicable' };
  const reasons = [];
  const userName = text(after, 'userName') ?? '';
  if (!USER_NAME.test(userName)) {
    const message = `the user name \`${userName}\` does not match the pattern`;
    reasons.push(reason('user-name', message, 'userName', 'invalidValue'));
  }
  if ((text(after, DEPARTMENT) ?? '') === '') {
    reasons.push(reason('department', 'a user needs a department', DEPARTMENT, 'invalidValue'));
  }
  const now = text(after, 'externalId');
  const before = operation.before();
  if (before != null) {
    const then = text(before, 'externalId');
    if (then !== undefined && then !== now) {
      note('external id', `${then} -> ${now ?? ''}`);
      reasons.push(reason('external-id', 'the external id does not change', 'externalId', 'mutability'));
    }
  } else if (now !== undefined && count('User', `externalId eq ${JSON.stringify(now)}`) > 0n) {
    const message = `another user has the external id \`${now}\``;
    reasons.push(reason('external-id-taken', message, 'externalId', 'uniqueness'));
  }
  return reasons.length === 0 ? { tag: 'allow' } : { tag: 'deny', val: reasons };
}

export const check = {
  evaluate(operation, _settings) {
    try {
      return judge(operation);
    } catch (error) {
      // What the host refuses comes as an error with the `read-error` as its payload. A text that is thrown is `err`.
      throw `could not read: ${error.payload?.tag ?? error}`;
    }
  },
};
