-- LCRs: routing groups whose providers are known here.
CREATE TABLE lcrs (
    group_id BIGINT NOT NULL PRIMARY KEY REFERENCES routing_groups (id),
    owner_id BIGINT NOT NULL REFERENCES users (id),
    -- The one that is tried when all others have failed; NULL: none.
    failover_provider_id BIGINT REFERENCES providers (point_id),
    -- What nothing searches by: a tollbook.v1.Lcr.
    settings TEXT NOT NULL
);
CREATE INDEX lcrs_by_failover_provider ON lcrs (failover_provider_id);
CREATE TABLE lcr_providers (
    lcr_id BIGINT NOT NULL REFERENCES lcrs (group_id) ON DELETE CASCADE,
    provider_id BIGINT NOT NULL REFERENCES providers (point_id),
    priority BIGINT NOT NULL,
    percent TEXT NOT NULL,
    PRIMARY KEY (lcr_id, provider_id)
);
CREATE INDEX lcr_providers_by_provider ON lcr_providers (provider_id);
