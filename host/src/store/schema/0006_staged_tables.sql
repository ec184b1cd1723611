-- Contents of tables that were sent ahead, to be put in force later. They are hidden (`filling` is 2) until a revision has them.
CREATE TABLE table_staged(
  tenant_id {int} NOT NULL,
  name TEXT{bytewise} NOT NULL,
  contents {int} NOT NULL,
  digest TEXT NOT NULL,
  row_count {int} NOT NULL,
  bytes {int} NOT NULL,
  columns TEXT,
  staged_at {int} NOT NULL,
  PRIMARY KEY(tenant_id, name, contents)
){clustered};
