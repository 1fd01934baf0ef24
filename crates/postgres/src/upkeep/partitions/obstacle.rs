use std::fmt;

use postgres_types::Type;

use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::sql::{in_schema, sql};
use crate::session::statements::Session;
use crate::upkeep::partitions::layout::TABLES;

/// Why old jobs are deleted row by row, although whole partitions of them are old.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// The role is not a member of the one that owns the tables.
    Owner(String),
    /// The role may not make tables in this schema.
    Create(String),
    /// A table of the application refers to jobs: each removal has to ask it.
    ForeignKey(String),
    /// A trigger of the application has to see each removal.
    Trigger(String),
    /// Somebody has changed the partitions.
    Layout(String),
}

impl Obstacle {
    /// The first one there is.
    pub(crate) async fn find(session: &Session) -> Result<Option<Self>, Fault> {
        let tables: Vec<String> = TABLES
            .iter()
            .map(|table| in_schema(&format!("longshore.{table}"), session.schema()).into_owned())
            .collect();
        let rows = session.query(sql!("partitions/select_obstacles"), &[(&tables, Type::TEXT_ARRAY)]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let columns = &mut Columns::of(row);
        let (what, name): (&str, Option<String>) = (columns.read()?, columns.read()?);
        let name = name.unwrap_or_default();
        Ok(Some(match what {
            "owner" => Self::Owner(name),
            "create" => Self::Create(name),
            "foreign_key" => Self::ForeignKey(name),
            "trigger" => Self::Trigger(name),
            _ => Self::Layout(name),
        }))
    }

    /// Whether a grant removes it.
    pub(crate) const fn is_of_rights(&self) -> bool {
        matches!(self, Self::Owner(_) | Self::Create(_))
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Owner(owner) => write!(f, "the role is not a member of \"{owner}\", which owns the tables"),
            Self::Create(schema) => write!(f, "the role lacks CREATE on schema \"{schema}\""),
            Self::ForeignKey(table) => write!(f, "a foreign key of {table} refers to the jobs"),
            Self::Trigger(name) => write!(f, "the trigger \"{name}\" runs when jobs are deleted"),
            Self::Layout(name) => write!(f, "the partitions with \"{name}\" differ between the tables"),
        }
    }
}
