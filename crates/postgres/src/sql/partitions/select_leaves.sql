-- The partitions of the table $1 with their bounds as text, such as MINVALUE or 1000000, and the last id that was given.
SELECT c.relname::text,
       (regexp_match(bound.text, 'FROM \(''?(MINVALUE|-?[0-9]+)''?\)'))[1],
       (regexp_match(bound.text, 'TO \(''?(MAXVALUE|-?[0-9]+)''?\)'))[1],
       (SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM longshore.job_id)
FROM pg_inherits AS i
JOIN pg_class AS c ON c.oid = i.inhrelid
CROSS JOIN LATERAL (SELECT pg_get_expr(c.relpartbound, c.oid)) AS bound (text)
WHERE i.inhparent = $1::text::regclass
ORDER BY c.relname
