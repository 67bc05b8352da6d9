-- What a call was authorised for: the rates by which it is billed, whatever becomes of its
-- points and tariffs meanwhile. Tariff 0: nothing is known of that side.

ALTER TABLE active_calls ADD COLUMN price_tariff_id BIGINT NOT NULL DEFAULT 0;
ALTER TABLE active_calls ADD COLUMN price_prefix_length BIGINT NOT NULL DEFAULT 0;
ALTER TABLE active_calls ADD COLUMN price_rate NUMERIC NOT NULL DEFAULT 0;
ALTER TABLE active_calls ADD COLUMN price_connection_fee NUMERIC NOT NULL DEFAULT 0;
ALTER TABLE active_calls ADD COLUMN price_increment BIGINT NOT NULL DEFAULT 1;
ALTER TABLE active_calls ADD COLUMN price_min_time BIGINT NOT NULL DEFAULT 0;
ALTER TABLE active_calls ADD COLUMN price_grace_time BIGINT NOT NULL DEFAULT 0;
ALTER TABLE active_calls ADD COLUMN price_exchange_rate NUMERIC NOT NULL DEFAULT 1;
ALTER TABLE active_calls ADD COLUMN self_cost_tariff_id BIGINT NOT NULL DEFAULT 0;
ALTER TABLE active_calls ADD COLUMN self_cost_prefix_length BIGINT NOT NULL DEFAULT 0;
ALTER TABLE active_calls ADD COLUMN self_cost_rate NUMERIC NOT NULL DEFAULT 0;
ALTER TABLE active_calls ADD COLUMN self_cost_connection_fee NUMERIC NOT NULL DEFAULT 0;
ALTER TABLE active_calls ADD COLUMN self_cost_increment BIGINT NOT NULL DEFAULT 1;
ALTER TABLE active_calls ADD COLUMN self_cost_min_time BIGINT NOT NULL DEFAULT 0;
ALTER TABLE active_calls ADD COLUMN self_cost_grace_time BIGINT NOT NULL DEFAULT 0;
ALTER TABLE active_calls ADD COLUMN self_cost_exchange_rate NUMERIC NOT NULL DEFAULT 1;
