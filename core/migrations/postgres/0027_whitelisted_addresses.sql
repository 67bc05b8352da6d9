-- Addresses that may send legacy requests while the API is restricted by IP.
CREATE TABLE whitelisted_addresses (
    id BIGINT PRIMARY KEY,
    network TEXT NOT NULL,
    reason TEXT NOT NULL,
    api_access BOOLEAN NOT NULL
);
CREATE SEQUENCE whitelisted_addresses_ids;
