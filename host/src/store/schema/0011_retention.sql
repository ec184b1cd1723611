-- How many days a tenant's decisions are kept; null: for ever.

ALTER TABLE tenant ADD COLUMN decisions_kept_days {int};
-- Those that are looked at again and again, among a hundred thousand.
CREATE INDEX tenant_forgetful ON tenant(tenant_id) WHERE decisions_kept_days IS NOT NULL;
