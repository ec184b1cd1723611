// Work addresses belong to the company.
%if directory
// Nobody has an address that another user has.
%end
%if tables
// Departments are those that there are.
%end
//
// Only values that are new are judged: old data must not stop a change of something else.

import { constraint, denyAny, problem, reason, settings } from 'scruple-sdk';
%if directory
import { directory, filter } from 'scruple-sdk';
%end
%if tables
import { tables } from 'scruple-sdk';
%end

const WORK_ADDRESS = 'emails[type eq "work"].value';
%if tables
const DEPARTMENT = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department';
/** The table of the tenant that has the code of each department. */
const DEPARTMENTS = 'departments';
%end

export default constraint({
  name: '{{name}}',
  version: '0.1.0',
  summary: 'Work addresses belong to the company',
  resourceTypes: ['User'],
  actions: ['create', 'update'],
%if not tables
  reads: ['emails.value', 'emails.type'],
%end
%if tables
  reads: ['emails.value', 'emails.type', DEPARTMENT],
  tables: [DEPARTMENTS],
%end
%if directory
  looksUp: ['User'],
%end
  settings: {
    domain: settings.text(
      'The domain of every work address: `example.com`, or `*.example.com` for every domain below it.',
    ),
  },

  evaluate(operation, { domain }) {
    const reasons = [];
    for (const address of operation.newTexts(WORK_ADDRESS)) {
      if (!isAtDomain(address, domain)) {
        const message = `\`${address}\` is not an address at ${domain}`;
        reasons.push(reason('foreign-domain', message, { path: 'emails', scimType: 'invalidValue' }));
      }
%if directory
      if (isTaken(operation, address)) {
        const message = `another user has the address \`${address}\``;
        reasons.push(reason('address-taken', message, { path: 'emails', scimType: 'uniqueness' }));
      }
%end
    }
%if tables
    for (const department of operation.newTexts(DEPARTMENT)) {
      if (!tables.contains(DEPARTMENTS, department)) {
        const message = `there is no department \`${department}\``;
        reasons.push(reason('unknown-department', message, { path: DEPARTMENT, scimType: 'invalidValue' }));
      }
    }
%end
    return denyAny(reasons);
  },

  checkSettings({ domain }) {
    return domain.includes('@') ? [problem('/domain', 'a domain has no `@`')] : [];
  },
});

/**
 * Whether what stands behind the last `@` is the domain.
 * @param {string} address
 * @param {string} domain
 */
function isAtDomain(address, domain) {
  const [found, allowed] = [address.slice(address.lastIndexOf('@') + 1), domain].map((text) => text.toLowerCase());
  if (!address.includes('@')) return false;
  return allowed.startsWith('*.') ? found.endsWith(allowed.slice(1)) && found.length >= allowed.length : found === allowed;
}
%if directory

/**
 * Whether somebody else has the address. Look-ups answer as of before the operation.
 * @param {import('scruple-sdk').Operation} operation
 * @param {string} address
 */
function isTaken(operation, address) {
  const own = operation.before?.id;
  return directory.find('User', filter.equals('emails.value', address), 2).some(({ id }) => id !== own);
}
%end
