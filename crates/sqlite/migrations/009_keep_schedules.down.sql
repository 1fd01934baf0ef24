-- longshore: loses job_schedules, job_ticks
DROP TABLE job_ticks;
DROP TABLE job_schedules;
