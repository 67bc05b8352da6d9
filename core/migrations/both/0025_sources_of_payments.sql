-- What a payment gateway says of a payment; empty where there was none.
ALTER TABLE payments ADD COLUMN gateway TEXT NOT NULL DEFAULT '';
ALTER TABLE payments ADD COLUMN transaction_id TEXT NOT NULL DEFAULT '';
ALTER TABLE payments ADD COLUMN payer_email TEXT NOT NULL DEFAULT '';
