-- Several counters of one type, whose sum counts: where transactions write side by side, each has one of its own.

CREATE TABLE resource_count_striped(
  tenant_id {int} NOT NULL,
  rtype {int} NOT NULL,
  stripe {int} NOT NULL,
  n {int} NOT NULL,
  PRIMARY KEY(tenant_id, rtype, stripe)
){clustered};
INSERT INTO resource_count_striped(tenant_id, rtype, stripe, n) SELECT tenant_id, rtype, 0, n FROM resource_count;
DROP TABLE resource_count;
ALTER TABLE resource_count_striped RENAME TO resource_count;
