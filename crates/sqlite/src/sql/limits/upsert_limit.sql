-- The rules of a queue or a type, and what follows from them. Each change has a new revision.
INSERT INTO job_limits (scope, name, configured, manual, has_lanes, key_paths)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (scope, name) DO UPDATE
SET configured = excluded.configured,
    manual = excluded.manual,
    revision = revision + 1,
    key_revision = key_revision + (has_lanes IS NOT excluded.has_lanes OR key_paths IS NOT excluded.key_paths),
    has_lanes = excluded.has_lanes,
    key_paths = excluded.key_paths
