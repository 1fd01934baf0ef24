use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use longshore_core::{LimitRule, QueueScope};
use tokio_postgres::Error;

use crate::session::columns::Columns;
use crate::session::sql::sql;
use crate::session::statements::Session;

/// The scopes as the column `scope` has them.
pub(super) const QUEUE: i16 = 1;
pub(super) const TYPE: i16 = 2;

/// The rules of the database as this store has read them last. A claim says the version that it knows, and takes nothing
/// if that is an old one, so they may be old without harm.
#[derive(Debug, Default)]
pub(crate) struct KnownRules {
    current: Mutex<Option<Arc<Rules>>>,
}

/// The rules that hold, of one version.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    pub(crate) version: i64,
    queues: HashMap<String, LimitRule>,
    types: HashMap<String, TypeRule>,
}

/// The rule of a type.
#[derive(Debug, Default)]
pub(super) struct TypeRule {
    /// Empty if its handler was only asked to slow down, or if its jobs still stand in lanes.
    pub(super) rule: LimitRule,
    /// Whether there are lanes of an earlier rule.
    pub(super) has_stale_lanes: bool,
}

/// What a claim asks for that has a rule.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Involved {
    pub(super) types: Vec<String>,
    pub(super) queues: Vec<String>,
}

impl Involved {
    pub(crate) fn is_empty(&self) -> bool {
        self.types.is_empty() && self.queues.is_empty()
    }
}

impl KnownRules {
    /// Reads them again.
    pub(crate) async fn read(&self, session: &Session) -> Result<Arc<Rules>, Error> {
        let rules = Arc::new(Rules::read(session).await?);
        *self.lock() = Some(Arc::clone(&rules));
        Ok(rules)
    }

    /// Those that were read last.
    pub(crate) fn known(&self) -> Option<Arc<Rules>> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Rules>>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rules {
    async fn read(session: &Session) -> Result<Self, Error> {
        let mut rules = Self::default();
        for row in session.query(sql!("limiting/select_rules"), &[]).await? {
            let columns = &mut Columns::of(&row);
            rules.version = columns.read()?;
            let (scope, name): (Option<i16>, Option<String>) = (columns.read()?, columns.read()?);
            let (Some(scope), Some(name)) = (scope, name) else { continue };
            let rule =
                columns.read::<Option<String>>()?.map_or_else(LimitRule::default, |text| read_rule(&name, &text));
            let has_stale_lanes = columns.read()?;
            if scope == QUEUE {
                rules.queues.insert(name, rule);
            } else {
                rules.types.insert(name, TypeRule { rule, has_stale_lanes });
            }
        }
        Ok(rules)
    }

    /// What a claim of these types and queues has to respect.
    pub(crate) fn involved(&self, job_types: &[String], scope: &QueueScope) -> Involved {
        // Nearly always there are none at all.
        let types = match self.types.is_empty() {
            true => Vec::new(),
            false => job_types.iter().filter(|name| self.types.contains_key(*name)).cloned().collect(),
        };
        let queues = self.queues.keys().filter(|name| scope.includes(name)).cloned().collect();
        Involved { types, queues }
    }

    /// Whether this type has a rule.
    pub(crate) fn limits(&self, job_type: &str) -> bool {
        self.types.contains_key(job_type)
    }

    /// Whether jobs of this type and queue are under no rule.
    pub(crate) fn leaves_free(&self, job_type: &str, queue: &str) -> bool {
        !self.types.contains_key(job_type) && !self.queues.contains_key(queue)
    }

    /// Whether a rule limits the jobs of this type and queue. A type that was only asked to slow down has none.
    pub(crate) fn has_rule_for(&self, job_type: &str, queue: &str) -> bool {
        self.types.get(job_type).is_some_and(|of| !of.rule.is_empty()) || self.queues.contains_key(queue)
    }

    pub(super) fn type_names(&self) -> Vec<String> {
        self.types.keys().cloned().collect()
    }

    pub(super) fn of_type(&self, job_type: &str) -> Option<&TypeRule> {
        self.types.get(job_type)
    }

    pub(super) fn of_queue(&self, queue: &str) -> Option<&LimitRule> {
        self.queues.get(queue)
    }

    /// Where the payloads of a type have the key, if its keys take turns.
    pub(super) fn pointer_of(&self, job_type: &str) -> Option<&str> {
        Some(self.types.get(job_type)?.rule.key.as_ref()?.as_str())
    }
}

/// A rule as its row has it. One that cannot be read limits nothing, and is told.
pub(super) fn read_rule(name: &str, text: &str) -> LimitRule {
    serde_json::from_str(text).unwrap_or_else(|error| {
        tracing::error!(name, %error, "the rule of a limit cannot be read; it limits nothing");
        LimitRule::default()
    })
}
