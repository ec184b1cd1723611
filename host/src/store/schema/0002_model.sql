-- What a tenant's resources are, beyond the schemas of RFC 7643, and how its clients' requests are read.

ALTER TABLE tenant ADD COLUMN profile TEXT NOT NULL DEFAULT 'rfc';

-- A tenant's own schemas, resource types and tightenings, as one document: they are declared together and take effect
-- together. Few tenants have one.
CREATE TABLE definitions(
  tenant_id {int} PRIMARY KEY,
  document TEXT NOT NULL
){strict};

-- The resource that a token speaks for (`/Me`).
ALTER TABLE token ADD COLUMN user_id {uuid};

-- Hashes of secrets (`password`), apart from the resource so that no read of it can give one away.
CREATE TABLE secret(
  tenant_id {int} NOT NULL,
  id {uuid} NOT NULL,
  attr {int} NOT NULL,
  hash TEXT NOT NULL,
  PRIMARY KEY(tenant_id, id, attr)
){clustered};

-- `meta.lastModified gt "…"` is how a client asks what is new.
CREATE INDEX resource_modified ON resource(tenant_id, rtype, modified_at, id);
