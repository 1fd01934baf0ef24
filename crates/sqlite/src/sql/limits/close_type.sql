-- A type without a rule gets a row that says only this.
INSERT INTO job_limits (scope, name, closed_until)
VALUES ('type', ?1, ?2)
ON CONFLICT (scope, name) DO UPDATE
SET closed_until = max(COALESCE(closed_until, 0), excluded.closed_until)
