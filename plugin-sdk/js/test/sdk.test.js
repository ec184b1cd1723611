import assert from 'node:assert/strict';
import test from 'node:test';

import { constraint, deny, denyAny, directory, filter, log, notApplicable, problem, reason, report, settings, tables } from '../src/index.js';
import { serve } from '../src/component.js';
import { Scenario, settingsProblems } from '../src/testing.js';

const DEPARTMENT = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department';

const judged = (evaluate, more = {}) =>
  constraint({ name: 'x', version: '1.0.0', summary: 'x', actions: ['create', 'update', 'delete'], evaluate, ...more });

const ada = {
  id: '1',
  userName: 'Ada',
  active: true,
  name: { familyName: 'Lovelace' },
  emails: [{ value: 'ada@example.com', type: 'work' }, { value: 'ada@home.example', type: 'home' }],
  [DEPARTMENT.slice(0, DEPARTMENT.lastIndexOf(':'))]: { department: 'D-7' },
};

/** What reading comes to. */
function read(look, more) {
  let found;
  const outcome = Scenario.update('User', ada, { ...ada, active: false }).check(judged((operation) => {
    found = look(operation);
    return notApplicable();
  }, more));
  if (outcome.fault !== undefined) throw new Error(outcome.fault);
  return found;
}

test('paths select values as SCIM says', () => {
  const of = (path) => read(({ after }) => after.values(path));
  assert.deepEqual(of('username'), ['Ada']);
  assert.deepEqual(of('name.familyName'), ['Lovelace']);
  assert.deepEqual(of('emails.value'), ['ada@example.com', 'ada@home.example']);
  assert.deepEqual(of('emails[type eq "WORK"].value'), ['ada@example.com']);
  assert.deepEqual(of('emails[type eq "work" and not (value sw "eve")]'), [ada.emails[0]]);
  assert.deepEqual(of(DEPARTMENT), ['D-7']);
  assert.deepEqual(of('urn:ietf:params:scim:schemas:core:2.0:User:userName'), ['Ada']);
  assert.deepEqual(of('title'), []);
  assert.equal(read(({ after }) => after.matches(`userName eq "ada" and (active eq false or ${DEPARTMENT} pr)`)), true);
  assert.deepEqual(read(({ after }) => after.json('emails[type eq "home"]')), [ada.emails[1]]);
  assert.equal(read(({ before }) => before.whole().userName), 'Ada');
  for (const path of ['emails[', 'emails[type gt "a"]', 'a.b.c', 'emails[type eq work]', '']) assert.throws(() => of(path), /invalid/);
});

test('a value of another type is an error and no value', () => {
  assert.throws(() => read(({ after }) => after.text('active')), /wrong type: `active` is false/);
  assert.equal(read(({ after }) => after.flag('active')), false);
});

test('what differs is told at the finest path', () => {
  const after = { ...ada, emails: [{ value: 'ada@example.com', type: 'home' }, { value: 'new@example.com' }], title: 'Countess' };
  const outcome = Scenario.update('User', ada, after).check(judged((operation) => {
    const paths = operation.differences().map(({ path }) => path);
    assert.deepEqual(paths, [
      'emails[value eq "ada@example.com"].type', 'emails[value eq "ada@home.example"]', 'emails[value eq "new@example.com"]',
      'title',
    ]);
    assert.deepEqual(operation.added('emails'), ['new@example.com']);
    assert.deepEqual(operation.removed('emails'), ['ada@home.example']);
    assert.deepEqual(operation.newTexts('emails.value'), ['new@example.com']);
    assert.equal(operation.changes('userName'), false);
    return notApplicable();
  }));
  assert.equal(outcome.fault, undefined);
  assert.equal(read((operation) => operation.turnsOff('active')), true);
  assert.equal(read((operation) => operation.turnsOn('active')), false);
});

test('what was not asked for is refused', () => {
  const narrow = { reads: ['userName', 'emails.value'] };
  assert.equal(read(({ after }) => after.text('userName'), narrow), 'Ada');
  assert.throws(() => read(({ after }) => after.text('emails[type eq "work"].value'), narrow), /not granted: `emails.type`/);
  assert.throws(() => read(() => directory.count('User', 'userName pr')), /not granted: `directory:User`/);
  assert.throws(() => read(() => tables.contains('departments', 'D-7')), /not granted: `tables:departments`/);
  assert.throws(() => read(() => tables.contains('departments', 'D-7'), { tables: ['*'] }), /unavailable: there is no table/);
});

test('look-ups and tables answer as of before', () => {
  const rule = judged((operation) => {
    assert.equal(directory.get('User', '1').text('userName'), 'Ada');
    assert.equal(directory.get('User', 'none'), undefined);
    assert.deepEqual(directory.find('User', filter.equals('userName', 'BOB'), 5).map(({ id }) => id), ['2']);
    assert.equal(directory.count('User', 'groups.value eq "g"'), 1);
    assert.equal(directory.exists('Group', 'displayName eq "all"'), true);
    assert.deepEqual([directory.isMember('g', '1'), directory.isMember('h', '1'), directory.isMember('h', '1', { transitive: true })], [true, false, true]);
    assert.deepEqual(tables.get('departments', 'D-7'), { name: 'Engines' });
    assert.equal(tables.get('departments', 'toString'), undefined);
    report.note('who', operation.actor.subject);
    report.warn(reason('late', 'it is late'));
    log.info('looked');
    return deny(reason('no', 'because', { paths: ['userName'], scimType: 'uniqueness' }));
  }, { looksUp: ['User', 'Group'], tables: ['departments'] });
  const outcome = Scenario.delete('User', ada)
    .actor('okta')
    .user({ id: '2', userName: 'bob' })
    .group({ id: 'g', displayName: 'all', members: [{ value: '1' }] })
    .group({ id: 'h', displayName: 'more', members: [{ value: 'g' }] })
    .table('departments', { 'D-7': { name: 'Engines' } })
    .check(rule);
  assert.deepEqual(outcome.codes, ['no']);
  assert.deepEqual([outcome.notes, outcome.warnings.map(({ code }) => code), outcome.log], [[['who', 'okta']], ['late'], ['info: looked']]);
  assert.ok(outcome.reads.includes('table departments D-7'));
});

test('settings are a schema, types and what is left out', () => {
  const rule = judged((operation, given) => denyAny(given.rules.map(({ path, minimum }) => reason(`${path}-${minimum}`, '-'))), {
    settings: {
      rules: settings.list('The rules', settings.object('A rule', {
        path: settings.text('A path'),
        minimum: settings.optional(settings.integer('The fewest'), 1),
      })),
      note: settings.optional(settings.choice('What to note', 'all', 'none')),
    },
    checkSettings: ({ rules }) => rules.flatMap(({ path }, i) => (path === '' ? [problem(`/rules/${i}/path`, 'it is blank')] : [])),
  });
  const { settingsSchema } = rule.describe();
  assert.deepEqual(JSON.parse(settingsSchema).required, ['rules']);
  assert.equal(JSON.parse(settingsSchema).properties.rules.items.additionalProperties, false);
  assert.deepEqual(Scenario.create('User', ada).check(rule, { rules: [{ path: 'a' }, { path: 'b', minimum: 3 }] }).codes, ['a-1', 'b-3']);
  assert.deepEqual(settingsProblems(rule, { rules: [{ path: 'a' }, { path: '' }] }), ['/rules/1/path: it is blank']);
});

test('what is thrown is an error of the contract, and problems of settings are its list', () => {
  const rule = judged(({ after }) => after.title.length, { checkSettings: () => [problem('', 'never')] });
  const { about, check } = serve(rule, {});
  assert.throws(() => about.checkSettings('{}'), (thrown) => thrown[0].message === 'never');
  const handle = { after: () => ({}), action: () => 'create' };
  assert.throws(() => check.evaluate(handle, ''), (thrown) => typeof thrown === 'string' && thrown.startsWith('TypeError: '));
  assert.throws(() => serve({}, {}), /is no constraint/);
});

test('a misspelled declaration is an error', () => {
  assert.throws(() => judged(() => {}, { read: ['userName'] }), /no `read`/);
  assert.throws(() => judged(() => {}, { actions: ['patch'] }), /no action `patch`/);
  assert.throws(() => constraint({ name: 'x' }), /needs `version`/);
});

test('a text stays within its quotes', () => {
  assert.equal(filter.equals('userName', 'x" or active pr'), 'userName eq "x\\" or active pr"');
  assert.equal(filter.equalsAny('id', ['a', 'b']), 'id eq "a" or id eq "b"');
  assert.equal(filter.equalsAny('id', []), undefined);
});
