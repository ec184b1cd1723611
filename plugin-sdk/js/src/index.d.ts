// The types of a constraint.

export type Action = 'create' | 'update' | 'delete' | 'assess';

/** RFC 7644, table 9. It picks the status of the SCIM error: 409 for uniqueness, 400 for the others, 403 without. */
export type ScimType =
  | 'invalidFilter' | 'tooMany' | 'uniqueness' | 'mutability' | 'invalidSyntax' | 'invalidPath' | 'noTarget' | 'invalidValue'
  | 'invalidVers' | 'sensitive';

/** A value of an attribute; a complex one as an object. What is absent is `undefined`. */
export type Value = string | boolean | number | { [name: string]: unknown } | unknown[];

/** One resource in one state. Every read is recorded: ask for the narrowest path that decides. Paths are those of RFC 7644. */
export interface Document {
  readonly id: string | undefined;
  readonly resourceType: string;
  /** The first value that the path selects. */
  value(path: string): Value | undefined;
  /** Every value that the path selects, in document order. */
  values(path: string): Value[];
  /** The first value, which must be text. */
  text(path: string): string | undefined;
  /** Every value, which must all be text. */
  texts(path: string): string[];
  /** The first value, which must be a boolean. */
  flag(path: string): boolean | undefined;
  /** The first value, which must be a number. */
  number(path: string): number | undefined;
  /** Whether the path selects anything. Records no more than that. */
  has(path: string): boolean;
  /** Whether a SCIM filter holds. Put other people's text into it with `filter`. */
  matches(filter: string): boolean;
  /** What the path selects, as JSON: a list where there can be several. Records the whole subtree. */
  json(path: string): unknown;
  /** Everything that is granted. Records all of it as read. */
  whole(): { [name: string]: unknown };
}

/** One effective difference: canonical path, value before, value after. */
export interface Difference {
  readonly path: string;
  readonly before: Value | undefined;
  readonly after: Value | undefined;
}

/** What is to be judged. PUT and PATCH are both `update`: what counts is what would be stored. */
export interface Operation {
  readonly decisionId: string;
  readonly action: Action;
  readonly resourceType: string;
  /** The authenticated client. */
  readonly actor: { readonly subject: string; readonly scopes: readonly string[] };
  /** The time of the request: the only clock there is. */
  readonly time: Date;
  /** `undefined` for a create. */
  readonly before: Document | undefined;
  /** `undefined` for a delete. */
  readonly after: Document | undefined;
  /** What differs, all of it or at and under a path. None for a delete: everything goes. */
  differences(under?: string): Difference[];
  changes(path: string): boolean;
  /** The texts that the path selects after and did not before: for rules that let old data be. */
  newTexts(path: string): string[];
  /** Which values a multi-valued attribute gains, each by its `value`: `added('members')` are ids. */
  added(path: string): string[];
  /** Which values it loses. */
  removed(path: string): string[];
  /** Whether a boolean is true after and was not before. */
  turnsOn(path: string): boolean;
  /** Whether a boolean was true before and is not after. */
  turnsOff(path: string): boolean;
}

export interface Reason {
  readonly code: string;
  readonly message: string;
  readonly paths: readonly string[];
  readonly scimType: ScimType | null;
}

export type Verdict =
  | { readonly tag: 'allow' }
  | { readonly tag: 'not-applicable' }
  | { readonly tag: 'deny'; readonly val: readonly Reason[] }
  | { readonly tag: 'hold'; readonly val: { readonly reasons: readonly Reason[] } };

/** `code` is stable and machine-readable; `message` is for the administrator of the identity provider. No secrets there. */
export function reason(
  code: string,
  message: string,
  more?: { path?: string; paths?: readonly string[]; scimType?: ScimType },
): Reason;
export function allow(): Verdict;
export function notApplicable(): Verdict;
export function deny(...reasons: readonly Reason[]): Verdict;
/** Refuse if there is any reason to, allow otherwise. */
export function denyAny(reasons: readonly Reason[]): Verdict;
/** Refuse for now, and try again. */
export function hold(
  reasons: readonly Reason[],
  more?: { notBeforeSeconds?: number; expiresAfterSeconds?: number },
): Verdict;

/** The host did not answer. Uncaught, it ends the evaluation as a fault, never as a denial. */
export class ReadError extends Error {
  constructor(kind: ReadError['kind'], message: string);
  readonly kind: 'invalid' | 'not-granted' | 'budget-exhausted' | 'unavailable' | 'wrong-type' | 'other';
}

/** A setting, with the type that a constraint gets it as. */
export interface Setting<T, Optional extends boolean = false> {
  readonly schema: { readonly [keyword: string]: unknown };
  readonly isOptional?: Optional;
  readonly read?: (value: any) => T;
}

export type Members = { readonly [name: string]: Setting<any, boolean> };

/** What settings with these members are. */
export type Settings<M extends Members> = {
  readonly [K in keyof M]: M[K] extends Setting<infer T, boolean> ? T : never;
};

type Rules = { readonly [keyword: string]: unknown };

export namespace settings {
  function text(description: string, rules?: Rules): Setting<string>;
  function integer(description: string, rules?: Rules): Setting<number>;
  function number(description: string, rules?: Rules): Setting<number>;
  function flag(description: string): Setting<boolean>;
  function choice<const V extends string>(description: string, ...values: V[]): Setting<V>;
  function list<T>(description: string, items: Setting<T, boolean>, rules?: Rules): Setting<readonly T[]>;
  function map<T>(description: string, values: Setting<T, boolean>): Setting<{ readonly [name: string]: T }>;
  function object<M extends Members>(description: string, members: M): Setting<Settings<M>>;
  function optional<T>(setting: Setting<T>, otherwise: T): Setting<T, true>;
  function optional<T>(setting: Setting<T>): Setting<T | undefined, true>;
}

export interface Problem {
  readonly pointer: string;
  readonly message: string;
}

/** One thing wrong with settings: a JSON Pointer into them (`/attributes/0`; empty for all of them), and what. */
export function problem(pointer: string, message: string): Problem;

export interface Definition<M extends Members> {
  /** Lower-case letters, digits and dashes. */
  name: string;
  /** Semantic version; the host identifies by digest. */
  version: string;
  summary: string;
  /** Which resource types it judges; all, if absent. */
  resourceTypes?: readonly string[];
  actions: readonly Action[];
  /** SCIM paths it may read, without value filters; everything, if absent. */
  reads?: readonly string[];
  /** Resource types it looks up. */
  looksUp?: readonly string[];
  /** Tables it looks into; `*` where settings name them. */
  tables?: readonly string[];
  labels?: { readonly [key: string]: string };
  settings?: M;
  /** What is thrown here is a fault: by default it refuses, and it is never a denial. */
  evaluate(operation: Operation, settings: Settings<M>): Verdict;
  /** What JSON Schema cannot say. */
  checkSettings?(settings: Settings<M>): readonly Problem[];
}

/** Edits, with the meaning that the operation of a SCIM PATCH has. Paths are those of RFC 7644: `emails[type eq "work"].value`. */
export type Edit =
  | { readonly tag: 'set'; readonly path: string; readonly value: unknown }
  | { readonly tag: 'append'; readonly path: string; readonly value: unknown }
  | { readonly tag: 'remove'; readonly path: string };

export namespace edit {
  /** An attribute, or all values of a multi-valued one; of a complex attribute, the sub-attributes that are given. `null` removes. */
  function set(path: string, value: unknown): Edit;
  /** One value of a multi-valued attribute, if it does not have it. No filter in the path. */
  function append(path: string, value: unknown): Edit;
  /** An attribute, or the values that the path selects. */
  function remove(path: string): Edit;
}

/** A state as a rewriter has left it so far. Paths have no value filters here, and each is to be spelled in one way. */
export class Draft {
  /** Of the state after, mostly. */
  constructor(document: Document);
  /** What a path selects: a list where there can be several values, `null` for none. */
  value(path: string): unknown;
  /** The text that a path selects, if it is one. */
  text(path: string): string | undefined;
  /** An attribute or a sub-attribute, or all values of a multi-valued attribute. */
  set(path: string, value: unknown): void;
  /** Changes every text that a path selects, such as each of `emails.value`. Two that become the same are one. */
  mapTexts(path: string, map: (text: string) => string): void;
  /** The edits that make the state what it is here; none if it was so. */
  edits(): Edit[];
}

/** What a rewriter is, and a constraint that rewrites, too. */
export interface Rewriting<M extends Members> {
  /** SCIM paths it may edit, without value filters; `*` for all of them. What is read-only, a password and members cannot be. */
  writes: readonly string[];
  /**
   * The edits that make the state after what it should be. Of a state that is right already, none: clients repeat their requests.
   * Asked about creates and updates, before anybody judges. What is thrown here is a fault.
   */
  rewrite(operation: Operation, settings: Settings<M>): Iterable<Edit>;
}

export type RewriterDefinition<M extends Members> = Omit<Definition<M>, 'evaluate'> & Rewriting<M>;

export interface Constraint {
  readonly name: string;
  readonly version: string;
}

export interface Rewriter extends Constraint {
  readonly writes: readonly string[];
}

/** Declares a rewriter: the default export of the module that `scruple.rewriter` of package.json names. */
export function rewriter<const M extends Members = {}>(definition: RewriterDefinition<M>): Rewriter;

/** Declares a constraint that rewrites: the module stands in package.json as `scruple.constraint` and as `scruple.rewriter`. */
export function constraint<const M extends Members = {}>(definition: Definition<M> & Rewriting<M>): Constraint & Rewriter;

/** Declares a constraint: the default export of the module that `scruple.constraint` of package.json names. */
export function constraint<const M extends Members = {}>(definition: Definition<M>): Constraint;

/** Other resources of the tenant, as they stand before this operation. Needs `looksUp`, and `directory` in `scruple.needs`. */
export namespace directory {
  function get(resourceType: string, id: string): Document | undefined;
  /** Those that match a SCIM filter, by id, at most `limit` and never more than 100. */
  function find(resourceType: string, filter: string, limit: number): Document[];
  function count(resourceType: string, filter: string): number;
  /** Costs no more when many match, where `count` does. */
  function exists(resourceType: string, filter: string): boolean;
  function isMember(groupId: string, memberId: string, more?: { transitive?: boolean }): boolean;
}

/** Reference data of the tenant. Needs `tables`, and `tables` in `scruple.needs`. Keys are compared as they are. */
export namespace tables {
  function contains(table: string, key: string): boolean;
  /** The row: an object of texts where it was uploaded as CSV, `{}` in a plain list of keys. */
  function get(table: string, key: string): any;
}

/** Say more than the verdict. Nothing here changes the outcome. */
export namespace report {
  function warn(reason: Reason): void;
  function note(key: string, value: string): void;
}

/** Diagnostics for the author. No personal values here. */
export namespace log {
  function debug(message: string): void;
  function info(message: string): void;
  function warning(message: string): void;
  function error(message: string): void;
}

/** Filters out of other people's text. */
export namespace filter {
  function quoted(text: string): string;
  function equals(path: string, text: string): string;
  function equalsAny(path: string, texts: readonly string[]): string | undefined;
}
