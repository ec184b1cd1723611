-- Keys of the tenant's by which components are signed. Only those that count (1) satisfy its policy.
CREATE TABLE signing_key(
  tenant_id {int} NOT NULL,
  name TEXT{bytewise} NOT NULL,
  public_key {bytes} NOT NULL,
  counts {int} NOT NULL,
  made_by TEXT NOT NULL,
  made_at {int} NOT NULL,
  PRIMARY KEY(tenant_id, name),
  UNIQUE(tenant_id, public_key)
){clustered};

-- How many of the keys that count must have signed a component before it is taken. Without a row: none need.
CREATE TABLE signing_policy(
  tenant_id {int} NOT NULL,
  required {int} NOT NULL,
  made_by TEXT NOT NULL,
  made_at {int} NOT NULL,
  PRIMARY KEY(tenant_id)
){clustered};

-- Signatures that were checked when they came. They go with their key.
CREATE TABLE component_signature(
  tenant_id {int} NOT NULL,
  digest TEXT{bytewise} NOT NULL,
  public_key {bytes} NOT NULL,
  signature {bytes} NOT NULL,
  PRIMARY KEY(tenant_id, digest, public_key)
){clustered};
