-- The programs that work with this database, as far as they were seen lately. The times are by the database's clock.
CREATE TABLE node(
  id {uuid} NOT NULL PRIMARY KEY,
  host TEXT NOT NULL,
  listen TEXT NOT NULL,
  version TEXT NOT NULL,
  started_at {int} NOT NULL,
  seen_at {int} NOT NULL,
  -- By how much its own clock is ahead of the database's, in microseconds.
  clock_ahead {int} NOT NULL
){strict};

-- Tenants with a generation that some node is not prepared for yet. Written with the generation, gone when all are.
CREATE TABLE tenant_changed(
  tenant_id {int} NOT NULL,
  generation {int} NOT NULL,
  PRIMARY KEY(tenant_id)
){clustered};

-- Which node is prepared for which of those, or has failed to be.
CREATE TABLE node_prepared(
  tenant_id {int} NOT NULL,
  node_id {uuid} NOT NULL,
  generation {int} NOT NULL,
  failed {int} NOT NULL,
  PRIMARY KEY(tenant_id, node_id)
){clustered};

-- Whose it is to finish. What an older program was filling is nobody's.
ALTER TABLE member_set_hidden ADD COLUMN node {uuid};
ALTER TABLE table_contents_hidden ADD COLUMN node {uuid};
