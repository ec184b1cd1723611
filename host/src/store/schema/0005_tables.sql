-- Reference data that a tenant's constraints look into: tables, from key to row.

-- Every state that a table has had and that is kept; the one with the highest revision is in force. `contents` numbers the
-- rows that it has, which it may share with a revision that it goes back to. Without them: removed.
CREATE TABLE table_revision(
  tenant_id {int} NOT NULL,
  name TEXT{bytewise} NOT NULL,
  revision {int} NOT NULL,
  generation {int} NOT NULL,
  made_by TEXT NOT NULL,
  made_at {int} NOT NULL,
  contents {int},
  digest TEXT,
  row_count {int},
  bytes {int},
  columns TEXT,
  PRIMARY KEY(tenant_id, name, revision)
){clustered};

CREATE TABLE table_row(
  tenant_id {int} NOT NULL,
  name TEXT{bytewise} NOT NULL,
  contents {int} NOT NULL,
  key TEXT{bytewise} NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY(tenant_id, name, contents, key)
){clustered};

-- Contents of no revision: those being written, and those whose rows are to go.
CREATE TABLE table_contents_hidden(
  tenant_id {int} NOT NULL,
  name TEXT{bytewise} NOT NULL,
  contents {int} NOT NULL,
  filling {int} NOT NULL,
  PRIMARY KEY(tenant_id, name, contents)
){clustered};
