SELECT batch_id, name, data::text
FROM longshore.signal
ORDER BY batch_id, name
