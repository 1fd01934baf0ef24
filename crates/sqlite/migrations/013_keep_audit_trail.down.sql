-- longshore: loses job_audit
DROP TABLE job_audit;
