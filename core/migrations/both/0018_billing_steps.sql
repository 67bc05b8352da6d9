-- What billing steps count from: 0 the beginning of a call, 1 the end of the minimum time.

ALTER TABLE rates ADD COLUMN steps BIGINT NOT NULL DEFAULT 0;
ALTER TABLE active_calls ADD COLUMN price_steps BIGINT NOT NULL DEFAULT 0;
ALTER TABLE active_calls ADD COLUMN self_cost_steps BIGINT NOT NULL DEFAULT 0;
