-- The members of a group are one of its numbered sets. To replace them is to fill another set, which nobody sees, and to
-- say that it is the live one; what becomes of the old set's rows is then nobody's hurry.

CREATE TABLE group_member_of_set(
  tenant_id {int} NOT NULL,
  group_id {uuid} NOT NULL,
  set_no {int} NOT NULL,
  member_id {uuid} NOT NULL,
  mtype {int} NOT NULL,
  PRIMARY KEY(tenant_id, group_id, set_no, member_id)
){clustered};
INSERT INTO group_member_of_set(tenant_id, group_id, set_no, member_id, mtype)
  SELECT tenant_id, group_id, 0, member_id, mtype FROM group_member;
DROP TABLE group_member;
ALTER TABLE group_member_of_set RENAME TO group_member;
CREATE UNIQUE INDEX group_member_reverse ON group_member(tenant_id, member_id, group_id, set_no);

-- The set that is seen, of groups where it is not 0: few ever have another. -1: none, the group is gone and its rows
-- not yet.
CREATE TABLE member_set(
  tenant_id {int} NOT NULL,
  group_id {uuid} NOT NULL,
  live {int} NOT NULL,
  PRIMARY KEY(tenant_id, group_id)
){clustered};

-- The sets that are not seen: those being filled, and those whose rows are to go.
CREATE TABLE member_set_hidden(
  tenant_id {int} NOT NULL,
  group_id {uuid} NOT NULL,
  set_no {int} NOT NULL,
  filling {int} NOT NULL,
  PRIMARY KEY(tenant_id, group_id, set_no)
){clustered};
