-- What is reserved of a reseller's and a partner's money for a call under way, and the rates that each is billed at:
-- NULL where the originator has none.

ALTER TABLE active_calls ADD COLUMN reseller_id BIGINT;
ALTER TABLE active_calls ADD COLUMN reseller_reserved TEXT;
ALTER TABLE active_calls ADD COLUMN reseller_tariff_id BIGINT;
ALTER TABLE active_calls ADD COLUMN reseller_prefix_length BIGINT;
ALTER TABLE active_calls ADD COLUMN reseller_rate TEXT;
ALTER TABLE active_calls ADD COLUMN reseller_connection_fee TEXT;
ALTER TABLE active_calls ADD COLUMN reseller_increment BIGINT;
ALTER TABLE active_calls ADD COLUMN reseller_min_time BIGINT;
ALTER TABLE active_calls ADD COLUMN reseller_grace_time BIGINT;
ALTER TABLE active_calls ADD COLUMN reseller_exchange_rate TEXT;
ALTER TABLE active_calls ADD COLUMN reseller_steps BIGINT;
ALTER TABLE active_calls ADD COLUMN reseller_currency_id BIGINT;
ALTER TABLE active_calls ADD COLUMN partner_id BIGINT;
ALTER TABLE active_calls ADD COLUMN partner_reserved TEXT;
ALTER TABLE active_calls ADD COLUMN partner_tariff_id BIGINT;
ALTER TABLE active_calls ADD COLUMN partner_prefix_length BIGINT;
ALTER TABLE active_calls ADD COLUMN partner_rate TEXT;
ALTER TABLE active_calls ADD COLUMN partner_connection_fee TEXT;
ALTER TABLE active_calls ADD COLUMN partner_increment BIGINT;
ALTER TABLE active_calls ADD COLUMN partner_min_time BIGINT;
ALTER TABLE active_calls ADD COLUMN partner_grace_time BIGINT;
ALTER TABLE active_calls ADD COLUMN partner_exchange_rate TEXT;
ALTER TABLE active_calls ADD COLUMN partner_steps BIGINT;
ALTER TABLE active_calls ADD COLUMN partner_currency_id BIGINT;
CREATE INDEX active_calls_by_reseller ON active_calls (reseller_id) WHERE reseller_id IS NOT NULL;
CREATE INDEX active_calls_by_partner ON active_calls (partner_id) WHERE partner_id IS NOT NULL;

-- Earlier code would authorise calls that resellers cannot pay for.
UPDATE schema_compatibility SET least_migration = 47;
