-- PINs are unlike those of the owner's other devices; of other owners' devices nobody hears by them.
-- Made unique by who writes them, with the catalog locked.
DROP INDEX devices_by_pin;
CREATE INDEX devices_by_pin ON devices (pin_digest) WHERE pin_digest IS NOT NULL;
-- How many e-mails were made from the templates of an account in an hour since 1970.
CREATE TABLE sent_emails (
    owner_id BIGINT NOT NULL,
    hour BIGINT NOT NULL,
    sent BIGINT NOT NULL,
    PRIMARY KEY (owner_id, hour)
);
