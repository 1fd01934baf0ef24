-- Jobs up to this id were there before there was a default retention.
SELECT max(last_id)
FROM job_history
