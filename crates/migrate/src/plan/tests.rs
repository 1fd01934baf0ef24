use std::sync::OnceLock;

use crate::{
    error::MigrateError,
    execution::replay::Chain,
    files::checksum::Change,
    files::migration::MigrationId,
    files::script::Bounds,
    ledger::{Ledger, Witness},
    plan::{Conflicts, Goal, Materials, down, repair, up},
    report::RepairAction,
    report::finding::{Finding, FindingKind},
    schema::{Comparison, ObjectName, Presence, Schema},
    survey::{Recorded, Standing, Survey},
};

fn standing(number: i64, recorded: Recorded, presence: Presence) -> Standing {
    Standing {
        id: MigrationId::new("app", number),
        name: format!("m{number}"),
        has_file: true,
        recorded,
        change: Change::None,
        witness: Witness::Shown,
        is_reached: presence == Presence::Present,
        presence: Some(presence),
        already_there: Vec::new(),
        statements_done: 0,
        is_interrupted: false,
        down_done: None,
        problem: None,
    }
}

fn survey(standings: Vec<Standing>) -> Survey {
    Survey {
        ledger: Ledger::default(),
        chain: Chain::default(),
        observed: Schema::default(),
        recorded: Some(Schema::default()),
        comparison: Comparison::default(),
        standings,
        findings: Vec::new(),
        accepted: Vec::new(),
        takeover: None,
        places: OnceLock::new(),
    }
}

fn numbers(ids: &[MigrationId]) -> Vec<i64> {
    ids.iter().map(|id| id.number).collect()
}

#[test]
fn up_takes_what_is_pending_in_order_as_far_as_the_goal() {
    use Recorded::{Applied, Never, RolledBack};
    let standings = vec![
        standing(1, Applied, Presence::Present),
        standing(2, RolledBack, Presence::Absent),
        standing(3, Never, Presence::Absent),
        standing(4, Never, Presence::Invisible),
    ];
    let to = |number| Goal { to: Some(MigrationId::new("app", number)), steps: None };
    let table = [
        (Goal::default(), vec![2, 3, 4]),
        (Goal { to: None, steps: Some(1) }, vec![2]),
        (to(3), vec![2, 3]),
        (to(1), vec![]),
    ];
    for (goal, expected) in table {
        assert_eq!(numbers(&up(&survey(standings.clone()), &goal).unwrap()), expected, "{goal:?}");
    }
}

#[test]
fn up_to_what_is_passed_already_is_refused() {
    let standings = (1..=3).map(|number| standing(number, Recorded::Applied, Presence::Present)).collect();
    let survey = survey(standings);
    let to = |number| Goal { to: Some(MigrationId::new("app", number)), steps: None };
    assert!(up(&survey, &to(3)).unwrap().is_empty());
    let refused = up(&survey, &to(1)).unwrap_err();
    assert_eq!(refused.code(), "already_past");
    assert_eq!(refused.to_string(), "app:3 is applied already, which comes after app:1");
}

#[test]
fn down_takes_the_newest_first_and_one_unless_told() {
    let applied = |number| standing(number, Recorded::Applied, Presence::Present);
    let standings = vec![applied(1), applied(2), applied(3), standing(4, Recorded::Never, Presence::Absent)];
    let to = Goal { to: Some(MigrationId::new("app", 1)), steps: None };
    let table = [(Goal::default(), vec![3]), (Goal { to: None, steps: Some(2) }, vec![3, 2]), (to, vec![3, 2])];
    for (goal, expected) in table {
        assert_eq!(numbers(&down(&survey(standings.clone()), &goal).unwrap()), expected, "{goal:?}");
    }
}

#[test]
fn a_broken_history_stops_up_before_anything_else() {
    let mut survey = survey(vec![standing(1, Recorded::Never, Presence::Absent)]);
    survey.findings.push(Finding::new(FindingKind::DuplicateNumber, "app:1", "twice"));
    assert!(matches!(up(&survey, &Goal::default()), Err(MigrateError::HistoryBroken { .. })));
}

#[test]
fn up_refuses_what_is_there_already() {
    let mut pending = standing(1, Recorded::Never, Presence::Absent);
    pending.already_there = vec![ObjectName::table("a")];
    assert!(matches!(up(&survey(vec![pending]), &Goal::default()), Err(MigrateError::AlreadyThere { .. })));
}

#[test]
fn repair_decides_by_what_the_ledger_says_and_the_schema_shows() {
    use Recorded::{Applied, Never, RolledBack};
    use RepairAction::{Apply, MarkApplied};
    let table = [
        (Applied, Presence::Present, vec![]),
        (RolledBack, Presence::Present, vec![MarkApplied]),
        (Never, Presence::Present, vec![MarkApplied]),
        (Applied, Presence::Absent, vec![Apply]),
        (RolledBack, Presence::Absent, vec![Apply]),
        (Never, Presence::Absent, vec![Apply]),
        (Never, Presence::Invisible, vec![Apply]),
        (Applied, Presence::Invisible, vec![]),
        (Applied, Presence::Conflicting(Vec::new()), vec![]),
    ];
    for (recorded, presence, expected) in table {
        let survey = survey(vec![standing(1, recorded, presence.clone())]);
        let plan = repair(&survey, Conflicts::LeaveToLater, &Materials::default(), &|_| Bounds::Transaction).unwrap();
        let actions: Vec<_> = plan.iter().map(|planned| planned.step.action).collect();
        assert_eq!(actions, expected, "{recorded:?} {presence:?}");
    }
}
