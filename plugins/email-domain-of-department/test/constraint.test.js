import assert from 'node:assert/strict';
import test from 'node:test';

import { Scenario, settingsProblems } from 'scruple-sdk/testing';

import rule from '../src/constraint.js';

const EXTENSION = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';
const DEPARTMENTS = { 'D-7': { domains: 'engines.example, example.com' }, 'D-8': { domains: ['Sales.example'] }, 'D-9': {} };

const user = (address, department) => ({
  userName: 'ada',
  emails: [{ value: address, type: 'work' }, { value: 'ada@home.example', type: 'home' }],
  ...(department === undefined ? {} : { [EXTENSION]: { department } }),
});

function check(scenario, ...expected) {
  assert.deepEqual(scenario.table('departments', DEPARTMENTS).check(rule).codes, expected);
}

test('an address is at a domain of the department', () => {
  check(Scenario.create('User', user('ada@Engines.example', 'D-7')));
  check(Scenario.create('User', user('ada@example.com', 'D-7')));
  check(Scenario.create('User', user('ada@sales.example', 'D-8')));
  check(Scenario.create('User', user('ada@sales.example', 'D-7')), 'domain-of-department');
  check(Scenario.create('User', user('ada@example.com@evil.example', 'D-7')), 'domain-of-department');
  check(Scenario.create('User', user('ada@example.com', 'D-9')), 'domain-of-department');
});

test('a department that the table does not have is refused, also one of a name that objects have', () => {
  check(Scenario.create('User', user('ada@example.com', 'D-10')), 'unknown-department');
  check(Scenario.create('User', user('ada@example.com', 'constructor')), 'unknown-department');
});

test('who has no department is not judged', () => {
  const outcome = Scenario.create('User', user('ada@elsewhere.example')).check(rule);
  assert.equal(outcome.verdict, 'not-applicable');
});

test('a move to another department asks for an address there, and other changes do not', () => {
  const before = user('ada@engines.example', 'D-7');
  check(Scenario.update('User', before, user('ada@engines.example', 'D-8')), 'domain-of-department');
  const old = user('ada@old.example', 'D-7');
  check(Scenario.update('User', old, { ...old, userName: 'ada.lovelace' }));
});

test('without the table nothing can be judged', () => {
  const outcome = Scenario.create('User', user('ada@example.com', 'D-7')).check(rule);
  assert.match(outcome.fault, /no table `departments`/);
});

test('settings name another table, column and type', () => {
  const sites = Scenario.create('User', user('ada@example.com', 'B')).table('sites', { B: { mail: 'example.org' } });
  assert.deepEqual(sites.check(rule, { table: 'sites', column: 'mail' }).codes, ['domain-of-department']);
  assert.equal(sites.check(rule, { table: 'sites', column: 'mail', type: 'other' }).verdict, 'not-applicable');
  assert.deepEqual(settingsProblems(rule, { type: ' ' }), ['/type: an address has a `type`, such as `work`']);
});
