-- Tokens, filled in by `Dialect::render`: {serial} {int} {uuid} {bytes} {bytewise} {strict} {clustered}.
-- Times are microseconds since 1970 in {int}. Enumerations are the words the API uses. JSON is TEXT: nobody asks
-- inside it, and its bytes must come back as they went in. The tenant is the first column of every key, so that the
-- tables shard by it as they are.

-- Numbers for the names of resource types and attributes, which would else be repeated in every index row.
CREATE TABLE name(
  number {serial},
  text TEXT{bytewise} NOT NULL UNIQUE
){strict};

-- What holds for the database as a whole, such as the state of the indexes.
CREATE TABLE setting(
  key TEXT{bytewise} PRIMARY KEY,
  value TEXT NOT NULL
){clustered};

-- Ids are never used again: what a cache remembers of a deleted tenant must not be taken for another's.
-- A tenant that is being deleted has no name any more, which frees the name and hides the tenant from every look-up.
CREATE TABLE tenant(
  tenant_id {serial},
  name TEXT{bytewise} UNIQUE,
  generation {int} NOT NULL,
  created_at {int} NOT NULL
){strict};

-- The one key that does not begin with the tenant: a token is how the tenant is found.
CREATE TABLE token(
  token_hash {bytes} PRIMARY KEY,
  tenant_id {int} NOT NULL,
  token_id {uuid} NOT NULL,
  label TEXT NOT NULL,
  scopes TEXT NOT NULL,
  created_at {int} NOT NULL,
  expires_at {int},
  revoked_at {int},
  UNIQUE(tenant_id, token_id)
){clustered};

CREATE TABLE resource(
  tenant_id {int} NOT NULL,
  rtype {int} NOT NULL,
  id {uuid} NOT NULL,
  version {int} NOT NULL,
  created_at {int} NOT NULL,
  modified_at {int} NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY(tenant_id, rtype, id)
){strict};

-- Values that no two resources of a type may share. `norm` is folded by us, never by the engine.
CREATE TABLE resource_key(
  tenant_id {int} NOT NULL,
  rtype {int} NOT NULL,
  attr {int} NOT NULL,
  norm TEXT{bytewise} NOT NULL,
  id {uuid} NOT NULL,
  PRIMARY KEY(tenant_id, rtype, attr, norm)
){clustered};

-- The inverted index of the other indexed attributes.
CREATE TABLE resource_attr(
  tenant_id {int} NOT NULL,
  rtype {int} NOT NULL,
  attr {int} NOT NULL,
  norm TEXT{bytewise} NOT NULL,
  id {uuid} NOT NULL,
  PRIMARY KEY(tenant_id, rtype, attr, norm, id)
){clustered};

-- How many resources of a type there are: counting a million rows takes half a second.
CREATE TABLE resource_count(
  tenant_id {int} NOT NULL,
  rtype {int} NOT NULL,
  n {int} NOT NULL,
  PRIMARY KEY(tenant_id, rtype)
){clustered};

CREATE TABLE group_member(
  tenant_id {int} NOT NULL,
  group_id {uuid} NOT NULL,
  member_id {uuid} NOT NULL,
  mtype {int} NOT NULL,
  PRIMARY KEY(tenant_id, group_id, member_id)
){clustered};
CREATE UNIQUE INDEX group_member_reverse ON group_member(tenant_id, member_id, group_id);

-- Components by SHA-256. Contents alone decide what one is, so two tenants that upload the same bytes share a row.
CREATE TABLE artifact(
  digest TEXT{bytewise} PRIMARY KEY,
  size {int} NOT NULL,
  bytes {bytes} NOT NULL
){strict};

CREATE TABLE plugin_version(
  tenant_id {int} NOT NULL,
  plugin TEXT{bytewise} NOT NULL,
  version {int} NOT NULL,
  digest TEXT{bytewise} NOT NULL,
  size {int} NOT NULL,
  world TEXT NOT NULL,
  descriptor TEXT NOT NULL,
  tag TEXT,
  created_at {int} NOT NULL,
  PRIMARY KEY(tenant_id, plugin, version),
  UNIQUE(tenant_id, plugin, digest)
){clustered};
CREATE INDEX plugin_version_digest ON plugin_version(digest);

-- Every state a constraint has had; the one with the highest revision is in force. Without a plugin: removed.
CREATE TABLE activation(
  tenant_id {int} NOT NULL,
  name TEXT{bytewise} NOT NULL,
  revision {int} NOT NULL,
  generation {int} NOT NULL,
  made_by TEXT NOT NULL,
  made_at {int} NOT NULL,
  plugin TEXT,
  version {int},
  digest TEXT,
  descriptor TEXT,
  settings TEXT,
  grants TEXT,
  mode TEXT,
  on_fault TEXT,
  ord {int},
  PRIMARY KEY(tenant_id, name, revision)
){clustered};

-- The decision log. `id` is a version 7 UUID, so the key is the order of time. `constraints` has a line for each
-- constraint that was asked. The narrow columns come first: walking the log does not touch the pages of `record`.
CREATE TABLE decision(
  tenant_id {int} NOT NULL,
  id {uuid} NOT NULL,
  at {int} NOT NULL,
  outcome TEXT NOT NULL,
  resource_id {uuid} NOT NULL,
  constraints TEXT NOT NULL,
  record TEXT NOT NULL,
  PRIMARY KEY(tenant_id, id)
){strict};
-- What happened to one resource is the question asked most.
CREATE INDEX decision_resource ON decision(tenant_id, resource_id, id);
-- Refusals are few among many allowed changes, which pay nothing for this index.
CREATE INDEX decision_refused ON decision(tenant_id, outcome, id) WHERE outcome <> 'allowed';
