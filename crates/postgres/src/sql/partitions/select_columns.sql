-- The columns of the table $1 in order, its owner if that is another role, and what a partition of it is stored with.
SELECT (
           SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
           FROM pg_attribute AS a
           WHERE a.attrelid = c.oid
             AND a.attnum > 0
             AND NOT a.attisdropped
       ),
       CASE WHEN c.relowner <> (SELECT u.usesysid FROM pg_user AS u WHERE u.usename = current_user)
           THEN quote_ident(pg_get_userbyid(c.relowner)) END,
       (SELECT array_to_string(l.reloptions, ', ') FROM pg_class AS l WHERE l.oid = $2::text::regclass)
FROM pg_class AS c
WHERE c.oid = $1::text::regclass
