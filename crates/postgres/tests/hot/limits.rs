//! The statements of a claim under limits, and of an explanation.

use super::plans::{HotStatement, hot};

pub(super) const HOT: [HotStatement; 29] = [
    hot!("limiting/reopen_freed", "bigint", "20"),
    hot!("limiting/reopen_due", "bigint", "50"),
    hot!("limiting/select_unsorted", "text[], text[]", "'{sync}', '{mail}'"),
    hot!("limiting/sort_jobs", "text, text, bigint", "'work', '/key', 20"),
    hot!("limiting/unsort_jobs", "text, bigint", "'mail', 20"),
    hot!("limiting/empty_stale_lanes", "text", "'mail'"),
    hot!("limiting/lock_limits", "text[], text[]", "'{sync}', '{api}'"),
    hot!("limiting/select_open_lanes", "text[], text[], bigint", "'{sync}', NULL, 20"),
    hot!("limiting/select_open_lanes", "text[], text[], bigint", "'{sync,work}', '{default,api}', 20"),
    hot!("limiting/read_limits", "text[], text[]", "'{sync}', '{api}'"),
    hot!("limiting/select_version", "", ""),
    hot!("limiting/select_idle", "text[], text[], text[]", "'{mail}', '{api}', '{work,mail}'"),
    hot!(
        "limiting/select_candidates",
        "text[], bigint[], text[], bigint[], text[]",
        "'{work}', '{5}', NULL, NULL, '{api}'"
    ),
    hot!("limiting/select_heads", "bigint[], bigint[]", "'{1,2}', '{3,3}'"),
    hot!("limiting/count_keys", "bigint[]", "'{1,10001}'"),
    hot!(
        "limiting/take_jobs",
        "text, bigint, text[], text[], integer[], boolean[], bigint[], boolean[], bigint[], boolean[]",
        "'w1', 3, '{work,sync}', '{default,default}', '{-5,-5}', '{f,f}', '{7,400001}', '{f,t}', '{NULL,1}', '{f,t}'"
    ),
    hot!(
        "limiting/settle_lanes",
        "bigint[], bigint[], boolean[], timestamptz[]",
        "'{1,2}', '{9,9}', '{f,t}', '{NULL,2030-01-01}'"
    ),
    hot!("limiting/settle_keys", "bigint[], bigint[], bigint[]", "'{1,2}', '{5,5}', '{NULL,7}'"),
    hot!("limiting/settle_limits", "bigint[], bigint[], bigint[]", "'{1,2}', '{5,5}', '{6,7}'"),
    hot!("limiting/raise_turns", "text[], bigint[]", "'{sync}', '{900}'"),
    hot!("limiting/select_waiting", "text[], text[], text[]", "'{sync}', '{api}', '{work,sync}'"),
    hot!("limiting/select_next_opening", "text[]", "'{sync,mail}'"),
    hot!(
        "limiting/slow_down_keys",
        "bigint[], bigint[], text, bigint[], bigint[]",
        "'{510001,300006}', '{1,1}', 'w1', '{0,0}', '{5000,5000}'"
    ),
    hot!("limiting/delete_idle_lanes", "text, bigint, timestamptz", "'sync', 20, '2000-01-01'"),
    hot!("limiting/delete_idle_keys", "text, text, bigint, bigint", "'sync', 'k3', 20, 0"),
    hot!("limiting/select_limits", "text[], text[], bigint", "'{sync}', '{api}', 100"),
    hot!("limiting/select_key", "text, text, bigint", "'sync', 'k7', 100"),
    hot!("limiting/count_turns_ahead", "bigint, text, bigint", "400007, '/key', 50"),
    hot!("explanation/count_ahead", "text, text, integer, bigint, bigint", "'work', 'default', -5, 90000, 1000"),
];

/// Twenty thousand keys of a type: the lanes of the first half are open, those of the second half are full, and some open
/// later. Five jobs wait in each, and one of each key of the second half runs.
pub(super) const FILL: &str = "
    INSERT INTO longshore.job_limit (scope, name, configured)
    SELECT 2, 'sync', '{}' UNION ALL SELECT 1, 'api', '{}'
    UNION ALL SELECT 1 + n % 2, 'other ' || n, '{}' FROM generate_series(1, 1000) n;
    INSERT INTO longshore.limit_key (job_type, limit_key) SELECT 'sync', 'k' || n FROM generate_series(1, 20000) n;
    INSERT INTO longshore.lane (key_id, job_type, queue, limit_key, head_rank, turn, is_full, opens_at, used_at)
    SELECT k.key_id, 'sync', 'default', k.limit_key, -5, k.key_id, k.key_id > 10000,
           CASE WHEN k.key_id > 15000 THEN longshore.now() + k.key_id * interval '1 second' END, longshore.now()
    FROM longshore.limit_key AS k
    ORDER BY k.key_id;
    INSERT INTO longshore.job (id, job_type, queue, priority, job_data, created_at)
    SELECT n, 'sync', 'default', 5, json_build_object('key', 'k' || (n - 400001) % 20000 + 1), longshore.now()
    FROM generate_series(400001, 500000) n;
    INSERT INTO longshore.laned (job_type, queue, rank, again, id, ready_at, lane)
    SELECT 'sync', 'default', -5, false, n, longshore.now(), (n - 400001) % 20000 + 1 FROM generate_series(400001, 500000) n;
    INSERT INTO longshore.running (id, claim_number, worker, job_type, queue, started_at, ready_at, is_counted, key_id)
    SELECT 500000 + n, 1, 1, 'sync', 'default', longshore.now(), longshore.now(), true, n
    FROM generate_series(10001, 20000) n;
    UPDATE longshore.job_limit SET counted_from = 2 WHERE name = 'sync';
    INSERT INTO longshore.freed (key_id) SELECT n FROM generate_series(10001, 12000) n";
