-- What an earlier move left behind here is of the same queue, and older. The counts of jobs stay.
WITH types AS (
    DELETE FROM longshore.type_settings
), pauses AS (
    DELETE FROM longshore.queue_pause
), minutes AS (
    DELETE FROM longshore.minute
), schedules AS (
    DELETE FROM longshore.schedule
), limits AS (
    DELETE FROM longshore.job_limit
), ticks AS (
    DELETE FROM longshore.tick
), batches AS (
    DELETE FROM longshore.batch
), signals AS (
    DELETE FROM longshore.signal
), hints AS (
    DELETE FROM longshore.unsettled
)
UPDATE longshore.change
SET minute = NULL
WHERE minute IS NOT NULL
