-- A process that is frozen while it holds the row of a worker would keep its jobs from everybody.
SET LOCAL idle_in_transaction_session_timeout = 10000
