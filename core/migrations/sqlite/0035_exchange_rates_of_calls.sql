-- What the sides of a call were priced at: the currency of the tariff and its exchange rate of that moment, by which
-- a call is priced again. Currency or rate 0: not known, as of calls that were rated before it was kept.

ALTER TABLE calls ADD COLUMN currency_id BIGINT NOT NULL DEFAULT 0;
ALTER TABLE calls ADD COLUMN exchange_rate TEXT NOT NULL DEFAULT '0';
ALTER TABLE calls ADD COLUMN self_cost_currency_id BIGINT NOT NULL DEFAULT 0;
ALTER TABLE calls ADD COLUMN self_cost_exchange_rate TEXT NOT NULL DEFAULT '0';

-- The currencies that authorised rates are in.
ALTER TABLE active_calls ADD COLUMN price_currency_id BIGINT NOT NULL DEFAULT 0;
ALTER TABLE active_calls ADD COLUMN self_cost_currency_id BIGINT NOT NULL DEFAULT 0;
