import assert from 'node:assert/strict';
import test from 'node:test';

import { Draft, allow, constraint, edit, rewriter, settings } from '../src/index.js';
import { serve } from '../src/component.js';
import { Scenario } from '../src/testing.js';

const BADGE = 'urn:example:params:scim:schemas:Badge';

const ada = {
  userName: 'Ada',
  name: { givenName: 'Ada', familyName: 'Lovelace' },
  emails: [{ value: 'Ada@Example.com', type: 'work' }, { value: 'ada@home.example', type: 'home' }],
};

const about = { name: 'x', version: '1.0.0', summary: 'x', actions: ['create', 'update'] };

/** What these edits come to. */
const rewritten = (rewrite, more = {}) =>
  Scenario.create('User', ada).rewrite(rewriter({ ...about, writes: ['*'], rewrite, ...more }));

const after = (...edits) => rewritten(() => edits).after;

test('edits are made as a PATCH makes them', () => {
  assert.equal(after(edit.set('USERNAME', 'ada')).userName, 'ada');
  assert.deepEqual(after(edit.set('name', { givenName: 'A.' })).name, { givenName: 'A.', familyName: 'Lovelace' });
  assert.deepEqual(after(edit.set('name.givenName', null)).name, { familyName: 'Lovelace' });
  assert.deepEqual(after(edit.set('emails[type eq "work"].value', 'a@x')).emails[0], { value: 'a@x', type: 'work' });
  assert.deepEqual(after(edit.set('emails', [])).emails, undefined);
  assert.deepEqual(after(edit.set(`${BADGE}:badge`, 'B1'))[BADGE], { badge: 'B1' });
  assert.deepEqual(after(edit.set('phoneNumbers.value', '1')).phoneNumbers, [{ value: '1' }]);
  assert.equal(after(edit.append('emails', { value: 'third@x', type: 'other' })).emails.length, 3);
  assert.equal(after(edit.append('emails', { value: 'ada@home.example', type: 'home', primary: true })).emails[1].primary, true);
  assert.deepEqual(after(edit.remove('emails[type eq "home"]')).emails, [ada.emails[0]]);
  assert.equal(after(edit.remove('name.givenName'), edit.remove('name.familyName')).name, undefined);
  assert.equal(ada.emails[0].value, 'Ada@Example.com');
});

test('an edit that cannot be made is a fault that names it', () => {
  for (const [wrong, said] of [
    [edit.remove('emails[type eq "other"]'), /`emails\[type eq "other"\]` cannot be made: it selects no value/],
    [edit.append('nickNames', 'a'), /whether it has several values/],
    [edit.append('userName', 'a'), /no multi-valued attribute/],
    [edit.append('emails', []), /one value can be appended/],
    [edit.set('a.b.c', 1), /no attribute path/],
    [{ tag: 'move', path: 'title' }, /there is no edit `move`/],
  ]) {
    assert.match(rewritten(() => [wrong]).fault, said);
  }
  const undeclared = rewritten(() => [edit.set('name.givenName', 'A.')], { writes: ['userName', 'emails'] });
  assert.match(undeclared.fault, /`name.givenname` is not among the declared writes/);
  assert.throws(() => undeclared.after, /not granted/);
  assert.equal(rewritten(() => [edit.set('emails[type eq "work"].value', 'a@x')], { writes: ['emails'] }).fault, undefined);
  assert.match(Scenario.delete('User', ada).rewrite(rewriter({ ...about, writes: ['*'], rewrite: () => [] })).fault, /no state after/);
});

test('a draft gives the edits that it takes, and none where nothing changes', () => {
  const drafted = (work) => rewritten((operation) => {
    const draft = new Draft(operation.after);
    work(draft);
    return draft.edits();
  });
  const lower = (text) => text.toLowerCase();
  const all = drafted((draft) => {
    draft.mapTexts('userName', lower);
    draft.mapTexts('emails.value', lower);
    draft.set('name.givenName', 'A.');
    assert.equal(draft.value('name').givenName, 'A.');
    assert.deepEqual(draft.value('emails.value'), ['ada@example.com', 'ada@home.example']);
    draft.set('displayName', `${draft.text('name.givenName')} ${draft.text('name.familyName')}`);
  });
  assert.deepEqual(all.edits.map(({ path }) => path), ['displayName', 'emails', 'name.givenName', 'userName']);
  assert.equal(all.after.emails[0].value, 'ada@example.com');
  assert.equal(all.after.displayName, 'A. Lovelace');
  const nothing = drafted((draft) => {
    draft.set('name', { familyName: 'Lovelace', givenName: 'Ada' });
    draft.mapTexts('emails.type', lower);
    draft.mapTexts('title', lower);
    draft.set('name.givenName', 'A.');
    draft.set('name', { givenName: 'Ada', familyName: 'Lovelace' });
  });
  // The last one takes the one before it back, which nobody but the host knows to be nothing.
  assert.deepEqual(nothing.edits.map(({ path }) => path), ['name']);
  assert.deepEqual(nothing.after, ada);
});

test('what is declared is held against it, and settings are read', () => {
  const rule = { reads: ['userName'], settings: { suffix: settings.text('What is appended') } };
  const rewrite = (operation, { suffix }) => [edit.set('userName', operation.after.text('userName') + suffix)];
  const made = Scenario.create('User', ada).rewrite(rewriter({ ...about, ...rule, writes: ['userName'], rewrite }), { suffix: '!' });
  assert.equal(made.after.userName, 'Ada!');
  assert.deepEqual(made.reads, ['after userName']);
  assert.match(rewritten((operation) => [edit.set('title', operation.after.text('title'))], { reads: ['userName'] }).fault, /declared reads/);
  assert.throws(() => rewriter({ ...about, rewrite }), /a rewriter needs `writes`/);
  assert.throws(() => rewriter({ ...about, rewrite, writes: [], evaluate: allow }), /a rewriter has no `evaluate`/);
  assert.throws(() => constraint({ ...about, evaluate: allow, rewrite }), /a constraint needs `writes`/);
});

test('a component exports what package.json names, and what is thrown is an error', () => {
  const handle = { after: () => ({ json: () => '"Ada"' }) };
  const rule = rewriter({ ...about, writes: ['userName'], rewrite: (operation) => {
    const draft = new Draft(operation.after);
    draft.set('userName', 'ada');
    return [...draft.edits(), edit.remove('title')];
  } });
  const served = serve(rule, {}, ['rewrite']);
  assert.deepEqual(served.rewrite.rewrite(handle, '{}'), [
    { tag: 'set', val: ['userName', '"ada"'] }, { tag: 'remove', val: 'title' },
  ]);
  assert.deepEqual(served.about.describe().writes, ['userName']);
  const nothing = serve(rewriter({ ...about, writes: ['*'], rewrite: () => undefined }), {}, ['rewrite']);
  assert.throws(() => nothing.rewrite.rewrite(handle, ''), (thrown) => /gave undefined, which is no list/.test(thrown));
  assert.throws(() => serve(rule, {}), /`scruple.constraint` names a module without `evaluate`/);
  const both = constraint({ ...about, writes: ['*'], rewrite: () => [], evaluate: allow });
  assert.throws(() => serve(both, {}), /name it as `scruple.rewriter`/);
  assert.deepEqual(serve(both, {}, ['check', 'rewrite']).check.evaluate(handle, '{}'), { tag: 'allow' });
});
