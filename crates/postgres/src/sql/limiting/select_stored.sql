-- The rules of these subjects: $1 scopes, $2 names.
SELECT l.scope, l.name, l.configured, l.manual
FROM unnest($1::smallint[], $2::text[]) AS s (scope, name)
JOIN longshore.job_limit AS l ON l.scope = s.scope AND l.name = s.name
