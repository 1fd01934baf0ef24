SELECT queue, paused_at
FROM longshore.queue_pause
