-- The first signal of a name counts.
INSERT INTO longshore.signal (batch_id, name, data, sent_at)
VALUES ($1, $2, $3, longshore.now())
ON CONFLICT DO NOTHING
