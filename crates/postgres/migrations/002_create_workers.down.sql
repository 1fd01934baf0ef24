DROP TABLE longshore.history;
DROP TABLE longshore.duty;
DROP TABLE longshore.started;
DROP TABLE longshore.claim;
DROP SEQUENCE longshore.claim_number;
DROP TABLE longshore.server_run;
DROP TABLE longshore.worker;
DROP TABLE longshore.worker_name;
