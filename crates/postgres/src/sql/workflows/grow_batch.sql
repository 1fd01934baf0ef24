-- As the last statement of a transaction, because others wait for it from here on.
UPDATE longshore.batch
SET members = members + $2,
    callbacks = callbacks + $3
WHERE id = $1
