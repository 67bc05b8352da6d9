-- Templates of e-mails, of the operator's account (0) or of a reseller's or partner's.
CREATE TABLE email_templates (
    id INTEGER PRIMARY KEY,
    owner_id BIGINT NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (owner_id, name)
);
INSERT INTO sequences (name, next_id) VALUES ('email_templates', 1);
