-- Providers: what of the connection points that calls are sent to is not theirs. Such a point's user is
-- the provider's owner: the admin, or a reseller.
CREATE TABLE providers (
    point_id BIGINT PRIMARY KEY REFERENCES connection_points (id) ON DELETE CASCADE,
    owner_id BIGINT NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    -- Sealed where there is an encryption key.
    password TEXT NOT NULL,
    -- What nothing searches by: a tollbook.v1.Provider.
    settings TEXT NOT NULL
);
CREATE UNIQUE INDEX providers_by_name ON providers (owner_id, name);
-- The resellers who may use a provider of the admin's, and by which tariff each pays for it.
CREATE TABLE provider_common_uses (
    provider_id BIGINT NOT NULL REFERENCES providers (point_id) ON DELETE CASCADE,
    reseller_id BIGINT NOT NULL REFERENCES users (id),
    tariff_id BIGINT NOT NULL REFERENCES tariffs (id),
    PRIMARY KEY (provider_id, reseller_id)
);
-- What becomes of numbers on their way to a provider.
CREATE TABLE provider_rules (
    id BIGINT PRIMARY KEY,
    provider_id BIGINT NOT NULL REFERENCES providers (point_id) ON DELETE CASCADE,
    -- Instead of the provider's own; NULL: that.
    tariff_id BIGINT REFERENCES tariffs (id),
    -- The rest: a tollbook.v1.ProviderRule.
    settings TEXT NOT NULL
);
CREATE INDEX provider_rules_by_provider ON provider_rules (provider_id);
CREATE SEQUENCE provider_rules_ids;
-- No samples of secrets.
ALTER TABLE providers ALTER COLUMN password SET STATISTICS 0;
