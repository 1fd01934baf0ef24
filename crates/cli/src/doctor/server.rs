use std::time::Duration;

use longshore_core::{DeadRows, HeldSnapshot, ServerHealth};

use super::Finding;
use crate::output::relative_time::span;

/// Finds problems of a server, the worst first.
pub(super) fn judge(server: &ServerHealth) -> Vec<Finding> {
    let found = [
        missing_rights(server),
        sequences(server),
        autovacuum(server),
        held_snapshot(server),
        dead_rows(server),
        partitions(server),
    ];
    found.into_iter().flatten().collect()
}

fn missing_rights(server: &ServerHealth) -> Option<Finding> {
    let first = server.missing_rights.first()?;
    let others = match server.missing_rights.len() - 1 {
        0 => String::new(),
        others => format!(" and {others} more"),
    };
    let message = format!("the role lacks {first}{others}, so it cannot work on the queue");
    Some(Finding::new("rights_missing", message, "grant it to the role, or connect as the owner of the schema"))
}

fn sequences(server: &ServerHealth) -> Option<Finding> {
    let (sequence, percent) = server.used_up_sequences.first()?;
    let message = format!("the sequence {sequence} has given out {percent} % of its numbers");
    let hint = "move the queue into a new database before it ends (\"longshore move\")";
    Some(Finding::new("sequence_nearly_used_up", message, hint))
}

fn autovacuum(server: &ServerHealth) -> Option<Finding> {
    let first = server.tables_without_autovacuum.first()?;
    let tables = match server.tables_without_autovacuum.len() {
        1 => format!("table {first}"),
        many => format!("{many} tables of the queue, such as {first}"),
    };
    let message = format!("autovacuum is off for {tables}: deleted rows stay, and every claim gets slower");
    Some(Finding::new("autovacuum_off", message, "turn autovacuum on, for the server and for these tables"))
}

fn held_snapshot(server: &ServerHealth) -> Option<Finding> {
    let HeldSnapshot { holder, held_seconds } = server.held_snapshots.first()?;
    let since = held_seconds.map_or_else(String::new, |seconds| format!(" for {}", span(Duration::from_secs(seconds))));
    let message = format!("deleted rows cannot be cleaned up{since}, because of {holder}");
    let hint = "end that transaction (SELECT pg_terminate_backend(PID)), or drop the slot if nobody needs it";
    Some(Finding::new("snapshot_held", message, hint))
}

fn dead_rows(server: &ServerHealth) -> Option<Finding> {
    let DeadRows { table, dead, live } = server.dead_rows.first()?;
    let message = format!("table {table} has {dead} deleted rows beside {live} others");
    let hint = "run VACUUM on it, and look for what keeps autovacuum from it";
    Some(Finding::new("dead_rows", message, hint))
}

fn partitions(server: &ServerHealth) -> Option<Finding> {
    let obstacle = server.partition_obstacle.as_ref()?;
    let message = format!("old jobs are deleted row by row, because {obstacle}");
    let hint = "let workers connect as the owner of the tables, or as a member of it, so that they drop partitions";
    Some(Finding::new("partitions_not_managed", message, hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_without_problems_has_no_finding() {
        assert_eq!(judge(&ServerHealth { database_bytes: 1 << 40, ..ServerHealth::default() }), []);
    }

    #[test]
    fn each_problem_of_a_server_is_a_finding_the_worst_first() {
        let server = ServerHealth {
            database_bytes: 1,
            is_read_only: false,
            held_snapshots: vec![
                HeldSnapshot {
                    holder: "session 7 of 'ann', which is idle in transaction".into(),
                    held_seconds: Some(600),
                },
                HeldSnapshot { holder: "replication slot 'old'".into(), held_seconds: None },
            ],
            dead_rows: vec![DeadRows { table: "ready".into(), dead: 900_000, live: 3 }],
            tables_without_autovacuum: vec!["ready".into(), "running".into()],
            used_up_sequences: vec![("job_id".into(), 81)],
            missing_rights: vec!["DELETE on ready".into(), "INSERT on job".into()],
            partition_obstacle: Some("the role lacks CREATE on schema \"longshore\"".into()),
        };
        let findings = judge(&server);
        let codes: Vec<&str> = findings.iter().map(|finding| finding.code).collect();
        let expected = [
            "rights_missing",
            "sequence_nearly_used_up",
            "autovacuum_off",
            "snapshot_held",
            "dead_rows",
            "partitions_not_managed",
        ];
        assert_eq!(codes, expected);
        let message = |place: usize| findings[place].message.as_str();
        assert_eq!(message(0), "the role lacks DELETE on ready and 1 more, so it cannot work on the queue");
        assert!(message(2).contains("2 tables of the queue, such as ready"));
        assert!(message(3).contains("because of session 7 of 'ann', which is idle in transaction"), "{}", message(3));
    }
}
