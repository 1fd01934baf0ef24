-- longshore: loses job_tokens
DROP TABLE job_tokens;
