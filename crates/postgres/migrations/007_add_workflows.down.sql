-- longshore: loses longshore.batch, longshore.member, longshore.dependency, longshore.signal, longshore.unsettled
DROP TRIGGER note_return ON longshore.ended;
DROP TRIGGER note_end ON longshore.ended;
DROP FUNCTION longshore.block_job(bigint, integer);
DROP FUNCTION longshore.watch_job(bigint);
DROP FUNCTION longshore.note_end();
DROP TABLE longshore.unsettled;
DROP SEQUENCE longshore.unsettled_number;
DROP TABLE longshore.signal;
DROP TABLE longshore.dependency;
DROP TABLE longshore.member;
DROP TABLE longshore.batch;
DROP SEQUENCE longshore.batch_number;
DROP INDEX longshore.blocked_unmet;
ALTER TABLE longshore.blocked DROP COLUMN unmet;
-- Fails while a job waits for more than one parent: nothing would end its wait.
ALTER TABLE longshore.blocked ALTER COLUMN parent_job_id SET NOT NULL;
