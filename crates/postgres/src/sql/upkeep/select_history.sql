-- Jobs up to this id were there before there was a default retention.
SELECT COALESCE(max(last_id), 0)
FROM longshore.history
