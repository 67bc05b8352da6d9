-- What a reseller and a partner pay for the call of a user of theirs, beside what the user pays: NULL where the user
-- has none. The grace time of a user's point is none of theirs; their prefix is that of their own tariff.

ALTER TABLE calls ADD COLUMN reseller_id BIGINT;
ALTER TABLE calls ADD COLUMN reseller_tariff_id BIGINT;
ALTER TABLE calls ADD COLUMN reseller_rate TEXT;
ALTER TABLE calls ADD COLUMN reseller_billed_seconds BIGINT;
ALTER TABLE calls ADD COLUMN reseller_price TEXT;
ALTER TABLE calls ADD COLUMN reseller_entry_id BIGINT;
ALTER TABLE calls ADD COLUMN reseller_currency_id BIGINT;
ALTER TABLE calls ADD COLUMN reseller_exchange_rate TEXT;
ALTER TABLE calls ADD COLUMN partner_id BIGINT;
ALTER TABLE calls ADD COLUMN partner_tariff_id BIGINT;
ALTER TABLE calls ADD COLUMN partner_rate TEXT;
ALTER TABLE calls ADD COLUMN partner_billed_seconds BIGINT;
ALTER TABLE calls ADD COLUMN partner_price TEXT;
ALTER TABLE calls ADD COLUMN partner_entry_id BIGINT;
ALTER TABLE calls ADD COLUMN partner_currency_id BIGINT;
ALTER TABLE calls ADD COLUMN partner_exchange_rate TEXT;

-- What resellers and partners keep of what they are paid: of the price, and of what those below them pay.
-- In two integers, as the other sums.

ALTER TABLE traffic_days ADD COLUMN reseller_margin_millionths BIGINT NOT NULL DEFAULT 0;
ALTER TABLE traffic_days ADD COLUMN reseller_margin_rest BIGINT NOT NULL DEFAULT 0;
ALTER TABLE traffic_days ADD COLUMN partner_margin_millionths BIGINT NOT NULL DEFAULT 0;
ALTER TABLE traffic_days ADD COLUMN partner_margin_rest BIGINT NOT NULL DEFAULT 0;
ALTER TABLE traffic_hours ADD COLUMN reseller_margin_millionths BIGINT NOT NULL DEFAULT 0;
ALTER TABLE traffic_hours ADD COLUMN reseller_margin_rest BIGINT NOT NULL DEFAULT 0;
ALTER TABLE traffic_hours ADD COLUMN partner_margin_millionths BIGINT NOT NULL DEFAULT 0;
ALTER TABLE traffic_hours ADD COLUMN partner_margin_rest BIGINT NOT NULL DEFAULT 0;
ALTER TABLE traffic_destinations ADD COLUMN reseller_margin_millionths BIGINT NOT NULL DEFAULT 0;
ALTER TABLE traffic_destinations ADD COLUMN reseller_margin_rest BIGINT NOT NULL DEFAULT 0;
ALTER TABLE traffic_destinations ADD COLUMN partner_margin_millionths BIGINT NOT NULL DEFAULT 0;
ALTER TABLE traffic_destinations ADD COLUMN partner_margin_rest BIGINT NOT NULL DEFAULT 0;

-- Entries are of kinds that earlier versions do not know.
UPDATE schema_compatibility SET least_migration = 46;
