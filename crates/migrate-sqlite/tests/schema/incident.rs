//! The database of log entry 068, and what each of the queue's migrations shows in it.

use longshore_migrate::schema::{Footprint, ObjectKind, ObjectName, Presence, Schema};

use crate::fixture::{INCIDENT, MIGRATIONS, schema};

/// The footprints of the migrations, in their order.
fn footprints() -> Vec<Footprint> {
    let states: Vec<Schema> = (0..=MIGRATIONS.len()).map(|count| schema(&MIGRATIONS[..count])).collect();
    states.windows(2).map(|pair| Footprint::between(&pair[0], &pair[1])).collect()
}

fn columns(names: &[&str]) -> Vec<ObjectName> {
    names.iter().map(|name| ObjectName::on(ObjectKind::Column, "job_queue", *name)).collect()
}

#[test]
fn incident_068_the_first_migration_is_present_and_the_later_ones_are_absent() {
    let observed = schema(&[INCIDENT]);
    let presences: Vec<Presence> = footprints().iter().map(|footprint| footprint.presence(&observed)).collect();
    assert_eq!(presences[0], Presence::Present);
    assert!(presences[1..].iter().all(|presence| *presence == Presence::Absent), "{presences:?}");
}

#[test]
fn incident_068_the_ledger_is_no_part_of_the_schema() {
    let observed = schema(&[INCIDENT]);
    assert_eq!(observed.tables().collect::<Vec<_>>(), ["job_queue", "tracks"]);
}

#[test]
fn incident_068_two_columns_added_by_hand_are_told_from_the_three_that_are_missing() {
    let by_hand = "ALTER TABLE job_queue ADD failure_type TEXT; ALTER TABLE job_queue ADD next_retry_at timestamp;";
    let observed = schema(&[INCIDENT, by_hand]);
    let Presence::Partial { present, missing, .. } = footprints()[1].presence(&observed) else {
        panic!("the second migration is there in part");
    };
    assert_eq!(present, columns(&["failure_type", "next_retry_at"]));
    let mut expected = columns(&["dead_letter_reason", "last_error_traceback", "moved_to_dead_letter_at"]);
    expected.extend(
        ["idx_job_queue_failure_type", "idx_job_queue_next_retry_at"]
            .map(|index| ObjectName::on(ObjectKind::Index, "job_queue", index)),
    );
    assert_eq!(missing, expected);
}

#[test]
fn incident_068_a_narrower_check_and_other_defaults_are_a_conflict_in_readable_words() {
    let variant = INCIDENT
        .replace(
            "DEFAULT 'pending',",
            "DEFAULT 'pending' CHECK (status IN ('pending','running','completed','failed','cancelled')),",
        )
        .replace(
            "created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP",
            "created_at TEXT NOT NULL DEFAULT (datetime('now'))",
        );
    let Presence::Conflicting(differences) = footprints()[0].presence(&schema(&[&variant])) else {
        panic!("the first migration is there in another shape");
    };
    let words: Vec<String> = differences.iter().map(ToString::to_string).collect();
    assert_eq!(
        words,
        [
            "column job_queue.created_at: expected TIMESTAMP, found TEXT",
            "column job_queue.created_at: expected DEFAULT CURRENT_TIMESTAMP, found DEFAULT (datetime('now'))",
            "check job_queue (status IN ('pending', 'running', 'completed', 'failed', 'cancelled')) is there and no \
             migration made it: CHECK (status IN ('pending', 'running', 'completed', 'failed', 'cancelled'))",
        ]
    );
}

#[test]
fn a_footprint_seen_after_later_migrations_is_present_in_what_they_made() {
    let footprints = footprints();
    let observed = schema(&MIGRATIONS);
    for (at, footprint) in footprints.iter().enumerate() {
        let seen = footprints[at + 1..].iter().fold(footprint.clone(), |seen, later| seen.then(later));
        assert_eq!(seen.presence(&observed), Presence::Present, "migration {}", at + 1);
    }
}

#[test]
fn each_migration_is_absent_before_it_runs_and_present_after() {
    for (at, footprint) in footprints().iter().enumerate() {
        assert_eq!(footprint.presence(&schema(&MIGRATIONS[..at])), Presence::Absent, "before {}", at + 1);
        assert_eq!(footprint.presence(&schema(&MIGRATIONS[..=at])), Presence::Present, "after {}", at + 1);
    }
}
