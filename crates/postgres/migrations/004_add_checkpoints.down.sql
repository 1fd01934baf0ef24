-- The next attempt of a job starts from the beginning, and runs steps again that had finished.
DROP FUNCTION longshore.replace_job;
ALTER FUNCTION longshore.replace_content(bigint, longshore.job, boolean) RENAME TO replace_job;
DROP TABLE longshore.checkpoint;
