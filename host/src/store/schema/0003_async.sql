-- Requests that are answered before they are carried out (RFC 9967 §2.5.1), of tenants that allow it.

ALTER TABLE tenant ADD COLUMN respond_async {int} NOT NULL DEFAULT 0;

-- What was accepted, until it is finished, and from then on what came of it: either `request` or `outcome` is there.
CREATE TABLE async_request(
  tenant_id {int} NOT NULL,
  txn {uuid} NOT NULL,
  accepted_at {int} NOT NULL,
  finished_at {int},
  request TEXT,
  outcome TEXT,
  PRIMARY KEY(tenant_id, txn)
){strict};
CREATE INDEX async_request_finished ON async_request(tenant_id, finished_at, txn) WHERE finished_at IS NOT NULL;
-- For the start of a server, which looks at all tenants.
CREATE INDEX async_request_unfinished ON async_request(tenant_id, txn) WHERE finished_at IS NULL;

-- As part of which of these requests something was decided: written with the decision, so with the change itself.
ALTER TABLE decision ADD COLUMN txn {uuid};
CREATE INDEX decision_txn ON decision(tenant_id, txn, id) WHERE txn IS NOT NULL;
