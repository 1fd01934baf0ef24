-- Some of several attempts may be taken now and some later: none of the later ones was alone.
UPDATE longshore.started
SET are_accompanied = array_fill(true, ARRAY[cardinality(are_accompanied)])
WHERE worker = $1
