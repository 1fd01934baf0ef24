use std::io;
use std::sync::Arc;

use longshore_core::{IdRange, StoreError};
use thiserror::Error;

use crate::member::Member;

/// Whether databases may be given a range of ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbering {
    /// A database without jobs takes its range. For whoever enqueues or works.
    Assign,
    /// Nothing is written. For whoever only looks.
    LookOnly,
}

/// Why databases cannot be used together.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CombineError {
    /// A name is not one for a database.
    #[error("{name:?} is no name for a database: expected lower-case letters, digits, - and _")]
    InvalidName {
        /// The name.
        name: Arc<str>,
    },
    /// Two databases have one name.
    #[error("two databases have the name \"{name}\"")]
    SameName {
        /// The name.
        name: Arc<str>,
    },
    /// A queue is named by two databases.
    #[error("queue \"{queue}\" is named by the databases {first} and {second}: a queue has one database")]
    SameQueue {
        /// The queue.
        queue: String,
        /// A database.
        first: Arc<str>,
        /// The other one.
        second: Arc<str>,
    },
    /// One database was given twice.
    #[error("the databases {first} and {second} are the same one: name its queues together")]
    SameDatabase {
        /// A name of it.
        first: Arc<str>,
        /// The other one.
        second: Arc<str>,
    },
    /// Two databases have jobs with ids of one range.
    #[error(
        "the databases {first} and {second} both have ids of range {range}, so an id does not say where its job is: \
         if both are the same database, name its queues together; otherwise use an empty database for one of them, and \
         move its jobs there"
    )]
    SameRange {
        /// A database.
        first: Arc<str>,
        /// The other one.
        second: Arc<str>,
        /// The range.
        range: IdRange,
    },
    /// A database has jobs with ids of another range than the configured one.
    #[error(
        "database {name} gives ids of range {found}, but its number is set to {configured}: set it to {found}, because \
         only a database without jobs takes a higher number"
    )]
    OtherRange {
        /// The database.
        name: Arc<str>,
        /// Its range.
        found: IdRange,
        /// The range that was asked for.
        configured: IdRange,
    },
    /// A new database needs a number, and another one that may have any number cannot be reached.
    #[error(
        "database {name} needs a number that no other database has, but the one of {unreachable} is not known: set a \
         number for both, or try again when it can be reached"
    )]
    NumberUnknown {
        /// The new database.
        name: Arc<str>,
        /// The other one.
        unreachable: Arc<str>,
    },
    /// There are more databases than ranges.
    #[error("there are no more than {} databases", IdRange::NUMBER_MAX + 1)]
    TooMany,
    /// A database cannot be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No thread could be started.
    #[error("no thread could be started: {0}")]
    Thread(#[source] io::Error),
}

impl CombineError {
    /// A stable code for scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Store(error) => error.code(),
            Self::InvalidName { .. }
            | Self::SameName { .. }
            | Self::SameQueue { .. }
            | Self::SameDatabase { .. }
            | Self::TooMany => "invalid_config",
            _ => "databases_do_not_fit",
        }
    }

    /// What the user can do about it, if the message does not say it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Store(error) => error.hint(),
            _ => None,
        }
    }
}

/// Gives each database its range. The order decides, so two processes with one configuration come to the same.
pub(crate) async fn number(members: &[Arc<Member>], numbering: Numbering) -> Result<(), CombineError> {
    check_names(members)?;
    let mut found = Vec::with_capacity(members.len());
    for member in members {
        found.push(match member.opened() {
            Some(store) => store.id_range().await.map_err(|error| member.meet(error))?,
            None => None,
        });
    }
    let mut taken: Vec<(IdRange, &Arc<Member>)> = Vec::new();
    let closed = members.iter().filter(|member| member.opened().is_none());
    for member in closed {
        if let Some(range) = member.configured {
            take(&mut taken, range, member)?;
        }
    }
    // Who has a range keeps it, before those that take what is free.
    for (member, found) in members.iter().zip(&found) {
        let is_fixed = member.configured.is_none_or(|configured| Some(configured) == *found);
        if let Some(range) = found
            && is_fixed
            && !taken.iter().any(|(taken, _)| taken == range)
        {
            take(&mut taken, *range, member)?;
        }
    }
    for (member, found) in members.iter().zip(found) {
        let has_one = taken.iter().any(|(_, by)| Arc::ptr_eq(by, member));
        if !has_one && member.opened().is_some() {
            let wanted = wanted(members, member, &taken)?;
            let range = assign(member, wanted, found, numbering).await?;
            if range != wanted && member.configured.is_some() {
                let (name, configured) = (Arc::clone(&member.name), wanted);
                return Err(CombineError::OtherRange { name, found: range, configured });
            }
            take(&mut taken, range, member)?;
        }
    }
    check_ranges(&taken).await?;
    for (range, member) in taken {
        member.set_range(range);
    }
    Ok(())
}

/// A database that was given twice has the range that it was given last. Nothing else of a store says that two are one.
async fn check_ranges(taken: &[(IdRange, &Arc<Member>)]) -> Result<(), CombineError> {
    for (range, first) in taken {
        let Some(store) = first.opened() else { continue };
        let found = store.id_range().await.map_err(|error| first.meet(error))?;
        let other = taken.iter().find(|(other, _)| other != range && Some(*other) == found);
        if let Some((_, second)) = other {
            let (first, second) = (Arc::clone(&first.name), Arc::clone(&second.name));
            return Err(CombineError::SameDatabase { first, second });
        }
    }
    Ok(())
}

fn check_names(members: &[Arc<Member>]) -> Result<(), CombineError> {
    for (place, second) in members.iter().enumerate() {
        if !is_database_name(&second.name) {
            return Err(CombineError::InvalidName { name: Arc::clone(&second.name) });
        }
        for first in &members[..place] {
            if first.name == second.name {
                return Err(CombineError::SameName { name: Arc::clone(&first.name) });
            }
            if let Some(queue) = second.queues.iter().find(|queue| first.queues.contains(queue)) {
                let (queue, first, second) = (queue.clone(), Arc::clone(&first.name), Arc::clone(&second.name));
                return Err(CombineError::SameQueue { queue, first, second });
            }
        }
    }
    Ok(())
}

/// Whether a database may have this name. It is also part of an environment variable and of JSON.
pub fn is_database_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|character| matches!(character, 'a'..='z' | '0'..='9' | '-' | '_'))
}

/// Notes that a database has a range. Two cannot have the same.
pub(crate) fn take<'a>(
    taken: &mut Vec<(IdRange, &'a Arc<Member>)>,
    range: IdRange,
    member: &'a Arc<Member>,
) -> Result<(), CombineError> {
    if let Some((_, first)) = taken.iter().find(|(taken, _)| *taken == range) {
        let (first, second) = (Arc::clone(&first.name), Arc::clone(&member.name));
        return Err(CombineError::SameRange { first, second, range });
    }
    taken.push((range, member));
    Ok(())
}

/// The range that a database is to take: the configured one, else the lowest that is free.
fn wanted(
    members: &[Arc<Member>],
    member: &Arc<Member>,
    taken: &[(IdRange, &Arc<Member>)],
) -> Result<IdRange, CombineError> {
    if let Some(configured) = member.configured {
        return Ok(configured);
    }
    if let Some(unknown) = members.iter().find(|other| other.opened().is_none() && other.configured.is_none()) {
        let (name, unreachable) = (Arc::clone(&member.name), Arc::clone(&unknown.name));
        return Err(CombineError::NumberUnknown { name, unreachable });
    }
    let reserved = |range: &IdRange| {
        taken.iter().any(|(taken, _)| taken == range) || members.iter().any(|it| it.configured == Some(*range))
    };
    (0..=IdRange::NUMBER_MAX).filter_map(IdRange::new).find(|range| !reserved(range)).ok_or(CombineError::TooMany)
}

/// The range that the database has in the end.
async fn assign(
    member: &Member,
    wanted: IdRange,
    found: Option<IdRange>,
    numbering: Numbering,
) -> Result<IdRange, CombineError> {
    let range = match numbering {
        Numbering::Assign => {
            let range = member.store()?.take_id_range(wanted).await;
            range.map_err(|error| member.meet(error))?
        }
        Numbering::LookOnly => found,
    };
    Ok(range.unwrap_or(wanted))
}
