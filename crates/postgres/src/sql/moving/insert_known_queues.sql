-- An empty change makes a queue known.
INSERT INTO longshore.change (queue)
SELECT unnest($1::text[])
