SELECT duty, holder, term, taken_at, longshore.now()
FROM longshore.duty
WHERE duty = ANY($1)
