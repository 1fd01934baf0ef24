-- What the triggers noted in a statement that ended without a replacement. Outside a statement nothing of it is needed,
-- and a job that is deleted without triggers would be counted off a second time because of it.
DELETE FROM job_replaced
