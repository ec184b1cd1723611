-- Reasons of constraints that do not count for a while: for one resource, or for those of a type that match a filter. Nothing
-- is deleted: one that has ended is history.
CREATE TABLE waiver(
  tenant_id {int} NOT NULL,
  id {uuid} NOT NULL,
  constraint_name TEXT NOT NULL,
  code TEXT NOT NULL,
  resource_id {uuid},
  resource_type TEXT,
  filter TEXT,
  expires_at {int} NOT NULL,
  ticket TEXT NOT NULL,
  made_by TEXT NOT NULL,
  made_at {int} NOT NULL,
  revoked_by TEXT,
  revoked_at {int},
  uses {int} NOT NULL,
  used_at {int},
  used_in {uuid},
  PRIMARY KEY(tenant_id, id)
){clustered};
