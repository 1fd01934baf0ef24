//! Says in words what is wrong with each migration.

use std::collections::BTreeSet;

use super::{Recorded, Standing, Survey};
use crate::{
    files::checksum::Change,
    ledger::Witness,
    schema::{Difference, Footprint, ObjectName, Presence},
};

/// More names than this are counted, not listed.
const LISTED_MAX: usize = 8;

pub(super) fn say_problems(survey: &mut Survey) {
    let mut problems: Vec<Option<String>> = Vec::new();
    let mut has_problem: BTreeSet<&str> = BTreeSet::new();
    for standing in &survey.standings {
        let footprint = survey.chain.link(&standing.id).map(|link| &link.footprint);
        let is_after_problem = has_problem.contains(standing.id.source.as_str());
        let seen = problem(standing, footprint, is_after_problem.then_some(()));
        let problem = match (standing.down_done.map(interrupted_down), seen) {
            (Some(interrupted), Some(seen)) => Some(format!("{interrupted}; {seen}")),
            (interrupted, seen) => interrupted.or(seen),
        };
        if problem.is_some() {
            has_problem.insert(&standing.id.source);
        }
        problems.push(problem);
    }
    for (standing, problem) in survey.standings.iter_mut().zip(problems) {
        standing.problem = problem;
    }
}

/// What a run of a down has left behind that stopped after so many of its statements.
fn interrupted_down(done: usize) -> String {
    if done == 0 {
        return "its down was interrupted in its first statement; the next down begins with it again".to_owned();
    }
    format!("its down was interrupted after {done} of its statements; the next down continues after them")
}

fn problem(standing: &Standing, footprint: Option<&Footprint>, after_problem: Option<()>) -> Option<String> {
    if !standing.has_file && standing.is_applied() {
        return Some("applied in the ledger, but there is no file for it".to_owned());
    }
    match standing.change {
        Change::Meaning => return Some("applied, but its file says something else now".to_owned()),
        Change::Cosmetic => {
            return Some("white space or comments of its file changed since it was applied".to_owned());
        }
        Change::None | Change::Unknown => {}
    }
    if standing.is_applied() {
        return applied(standing, footprint);
    }
    if standing.is_interrupted && standing.statements_done == 0 {
        return Some("interrupted in its first statement; the next up begins with it again".to_owned());
    }
    if standing.is_interrupted {
        let done = standing.statements_done;
        return Some(format!("interrupted after {done} of its statements; the next up continues after them"));
    }
    let ledger = match standing.recorded {
        Recorded::RolledBack => "rolled back in the ledger",
        _ => "not in the ledger",
    };
    if standing.is_reached || !standing.already_there.is_empty() {
        return Some(format!("{ledger}, but {}", there(standing, footprint)));
    }
    let absent = matches!(standing.presence, Some(Presence::Absent | Presence::Conflicting(_))) && standing.has_file;
    let missing = footprint.filter(|_| absent).map(|footprint| in_words(footprint.main_objects()))?;
    after_problem.map(|()| format!("{ledger}, and not in the schema: {missing} missing"))
}

fn there(standing: &Standing, footprint: Option<&Footprint>) -> String {
    match &standing.presence {
        Some(Presence::Partial { missing, lingering, .. }) if standing.is_reached => {
            let open: Vec<&ObjectName> = missing.iter().chain(lingering).collect();
            format!("part of it is there; {} missing or left over", in_words(open))
        }
        Some(Presence::Conflicting(differences)) if standing.is_reached => {
            format!("{} is there and differs: {}", owners(footprint), conflicts(differences))
        }
        _ if standing.is_reached => format!("all of {} is there", owners(footprint)),
        _ => format!("{} there already", in_words(standing.already_there.iter().collect())),
    }
}

fn applied(standing: &Standing, footprint: Option<&Footprint>) -> Option<String> {
    let unverified =
        (standing.witness == Witness::Unverified).then_some("marked applied without being shown by the schema");
    let seen = match &standing.presence {
        Some(Presence::Absent) => {
            let missing = footprint.map(Footprint::main_objects).unwrap_or_default();
            Some(format!("applied in the ledger, but nothing of it is there: {} missing", in_words(missing)))
        }
        Some(Presence::Partial { missing, lingering, .. }) if missing.is_empty() => {
            Some(format!("applied in the ledger, but {} there still", in_words(lingering.iter().collect())))
        }
        Some(Presence::Partial { missing, .. }) => {
            Some(format!("applied in the ledger, but {} missing", in_words(missing.iter().collect())))
        }
        Some(Presence::Conflicting(differences)) => {
            Some(format!("applied in the ledger, but the schema differs: {}", conflicts(differences)))
        }
        _ => None,
    };
    match (unverified, seen) {
        (Some(unverified), Some(seen)) => Some(format!("{unverified}; {seen}")),
        (unverified, seen) => unverified.map(str::to_owned).or(seen),
    }
}

fn owners(footprint: Option<&Footprint>) -> String {
    let mut owners: Vec<&str> = footprint.into_iter().flat_map(Footprint::objects).map(ObjectName::owner).collect();
    owners.dedup();
    if owners.is_empty() {
        return "it".to_owned();
    }
    owners.join(", ")
}

fn conflicts(differences: &[Difference]) -> String {
    let shown: Vec<String> = differences.iter().take(LISTED_MAX).map(ToString::to_string).collect();
    let more = differences.len().saturating_sub(LISTED_MAX);
    if more > 0 { format!("{} and {more} more", shown.join("; ")) } else { shown.join("; ") }
}

/// `a, b and c are` or `a is`, so that a sentence can continue with "missing" or "there already".
fn in_words(objects: Vec<&ObjectName>) -> String {
    let count = objects.len();
    let names: Vec<String> = objects.into_iter().take(LISTED_MAX).map(ToString::to_string).collect();
    let verb = if count == 1 { "is" } else { "are" };
    match names.split_last() {
        None => "nothing is".to_owned(),
        Some((last, [])) => format!("{last} {verb}"),
        Some(_) if count > LISTED_MAX => format!("{} and {} more {verb}", names.join(", "), count - LISTED_MAX),
        Some((last, others)) => format!("{} and {last} {verb}", others.join(", ")),
    }
}
