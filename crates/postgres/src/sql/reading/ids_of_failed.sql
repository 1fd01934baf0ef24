-- Of those with a failure; which of them the filter means is left to the filter.
SELECT id
FROM longshore.story
WHERE ($5::text[] IS NULL OR failure_type = ANY($5))
