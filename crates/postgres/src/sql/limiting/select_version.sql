SELECT version, longshore.now() AS now
FROM longshore.limit_version
