// Write a constraint for Scruple. Start at `constraint`; the README has a whole one with its test.

export { constraint, problem, rewriter } from './constraint.js';
export { Draft } from './draft.js';
export * as edit from './edit.js';
export { allow, deny, denyAny, hold, notApplicable, reason } from './verdict.js';
export { ReadError } from './read.js';
export * as settings from './settings.js';
export * as directory from './directory.js';
export * as tables from './tables.js';
export * as report from './report.js';
export * as log from './log.js';
export * as filter from './filter.js';
