import assert from 'node:assert/strict';
import test from 'node:test';

import { Scenario, settingsProblems } from 'scruple-sdk/testing';

import rule from '../src/constraint.js';

const settings = { domain: 'example.com' };
const user = (address) => ({ userName: 'ada', emails: [{ value: address, type: 'work' }] });

function check(scenario, ...expected) {
  assert.deepEqual(scenario.check(rule, settings).codes, expected);
}

test('a work address is at the domain', () => {
  check(Scenario.create('User', user('ada@example.com')));
  check(Scenario.create('User', user('ada@elsewhere.example')), 'foreign-domain');
});

test('a domain with a star stands for those below it', () => {
  const at = (address) => Scenario.create('User', user(address)).check(rule, { domain: '*.example.com' }).codes;
  assert.deepEqual(at('ada@team.Example.com'), []);
  assert.deepEqual(at('ada@example.com'), ['foreign-domain']);
  assert.deepEqual(at('ada@evilexample.com'), ['foreign-domain']);
});

test('an old address does not stop a change of something else', () => {
  const before = user('ada@elsewhere.example');
  check(Scenario.update('User', before, { ...before, userName: 'ada.lovelace' }));
});
%if directory

test('an address is that of one user', () => {
  const bob = { ...user('bob@example.com'), id: '1' };
  check(Scenario.create('User', user('bob@example.com')).user(bob), 'address-taken');
});
%end
%if tables

test('a department is one of the table', () => {
  const extension = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';
  const inDepartment = (department) =>
    Scenario.create('User', { ...user('ada@example.com'), [extension]: { department } }).table('departments', ['D-7']);
  check(inDepartment('D-7'));
  check(inDepartment('D-9'), 'unknown-department');
});
%end

test('a domain with an at sign is a problem of the settings', () => {
  assert.deepEqual(settingsProblems(rule, settings), []);
  assert.deepEqual(settingsProblems(rule, { domain: '@example.com' }), ['/domain: a domain has no `@`']);
});
