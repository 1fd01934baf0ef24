-- What this transaction writes is lost with the power, never with the process.
SELECT set_config('synchronous_commit', 'off', true)
