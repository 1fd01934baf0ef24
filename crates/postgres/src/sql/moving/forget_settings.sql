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
), keys AS (
    UPDATE longshore.limit_key
    SET arrival = 0,
        closed_until = NULL
    WHERE arrival <> 0
       OR closed_until IS NOT NULL
), lanes AS (
    -- They were full or closed by what is forgotten here. The next claim of one looks.
    UPDATE longshore.lane
    SET is_full = false,
        opens_at = NULL
    WHERE is_full
       OR opens_at IS NOT NULL
), tokens AS (
    DELETE FROM longshore.token
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
