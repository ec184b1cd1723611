// Work addresses are at a domain of the user's department, which a table of the tenant's has.
//
// Judged when the address or the department is new: who moves to another department gets an address there.

import { constraint, denyAny, notApplicable, problem, reason, settings, tables } from 'scruple-sdk';

const DEPARTMENT = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department';

export default constraint({
  name: 'email-domain-of-department',
  version: '0.1.0',
  summary: "Work addresses are at a domain of the user's department",
  resourceTypes: ['User'],
  actions: ['create', 'update', 'assess'],
  reads: [DEPARTMENT, 'emails.value', 'emails.type'],
  // Which table it looks into is a setting, so it asks for all; a tenant grants that one.
  tables: ['*'],
  settings: {
    table: settings.optional(settings.text('The table that has a row for each department.'), 'departments'),
    column: settings.optional(
      settings.text('Where a row has the domains: a text with spaces or commas between them, or a list.'),
      'domains',
    ),
    type: settings.optional(settings.text('The `type` of the addresses that it is about.'), 'work'),
  },

  evaluate(operation, { table, column, type }) {
    const user = operation.after;
    const department = user?.text(DEPARTMENT);
    if (department === undefined || !isNews(operation)) return notApplicable();
    const addresses = user.texts(`emails[type eq ${JSON.stringify(type)}].value`);
    if (addresses.length === 0) return notApplicable();
    const row = tables.get(table, department);
    if (row === undefined) {
      const message = `there is no department \`${department}\` in the table \`${table}\``;
      return denyAny([reason('unknown-department', message, { path: DEPARTMENT, scimType: 'invalidValue' })]);
    }
    const domains = domainsOf(row[column]);
    const elsewhere = addresses.filter((address) => !domains.includes(domainOf(address)));
    return denyAny(elsewhere.map((address) => {
      const message = `\`${address}\` is not at a domain of the department \`${department}\`: ${domains.join(', ') || 'it has none'}`;
      return reason('domain-of-department', message, { path: 'emails', scimType: 'invalidValue' });
    }));
  },

  checkSettings({ type }) {
    return type.trim() === '' ? [problem('/type', 'an address has a `type`, such as `work`')] : [];
  },
});

const isNews = (operation) =>
  operation.action !== 'update' || ['emails.value', 'emails.type', DEPARTMENT].some((path) => operation.changes(path));

/** What stands behind the last `@`. */
const domainOf = (address) => address.slice(address.lastIndexOf('@') + 1).toLowerCase();

const domainsOf = (cell = []) =>
  (Array.isArray(cell) ? cell : String(cell).split(/[\s,]+/)).map((domain) => domain.toLowerCase()).filter(Boolean);
