-- Addresses that may send legacy requests while the API is restricted by IP.
CREATE TABLE whitelisted_addresses (
    id INTEGER PRIMARY KEY,
    network TEXT NOT NULL,
    reason TEXT NOT NULL,
    api_access BOOLEAN NOT NULL
);
INSERT INTO sequences (name, next_id) VALUES ('whitelisted_addresses', 1);
