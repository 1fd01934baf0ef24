//! Plans how a schema is changed in place, with ALTER, so that its rows stay.
//!
//! What stands on a column or a view (views, indexes, triggers, policies) is put aside where the server wants that, and
//! made again from its own definition. A statement that goes through the rows of a large table keeps nobody waiting:
//! constraints come NOT VALID and are validated afterwards, indexes are built concurrently. What cannot be done that way
//! is left out, and [`by_hand`] names it. Begin reading at [`work`].

mod by_hand;
mod column;
mod constraint;
mod edges;
mod order;
mod part;
mod rows;
mod table;
mod types;
mod work;

use std::collections::BTreeMap;

use longshore_migrate::{
    alterer::{AlterRequest, Alteration, Alterer},
    schema::{Difference, ObjectName, Schema},
    target::Definition,
};
use tokio_postgres::Row;

use crate::catalog::Names;
use edges::Edges;
use work::{Limit, Work};

pub(crate) use edges::QUERY as EDGES;

/// How large and whose every relation is.
pub(crate) const FACTS: &str = include_str!("alter/facts.sql");

/// What is known of a relation apart from its meaning.
#[derive(Debug, Clone, Default)]
struct Fact {
    is_partitioned: bool,
    bytes: i64,
    /// Somebody else, where it is not the role of this connection.
    owner: Option<String>,
    grants: Vec<String>,
}

/// The real schema, as it was read.
#[derive(Debug)]
pub(crate) struct PostgresAlterer {
    observed: Schema,
    names: Names,
    /// The statements of what is there, in an order in which they can run.
    made: Vec<Definition>,
    edges: Edges,
    facts: BTreeMap<String, Fact>,
}

impl PostgresAlterer {
    pub(crate) fn new(observed: Schema, made: Vec<Definition>, names: Names, edges: &[Row], facts: &[Row]) -> Self {
        let edges = Edges::read(edges, &names);
        let facts = facts.iter().map(|row| fact(row, &names)).collect();
        let made = made.into_iter().flat_map(constraint::with_key).collect();
        Self { observed, names, made, edges, facts }
    }

    fn made(&self, object: &ObjectName) -> Option<&str> {
        self.made.iter().find(|made| made.object == *object).map(|made| made.sql.as_str())
    }
}

fn fact(row: &Row, names: &Names) -> (String, Fact) {
    let text = |column: &str| row.try_get::<_, String>(column).unwrap_or_default();
    let fact = Fact {
        is_partitioned: row.try_get("is_partitioned").unwrap_or_default(),
        bytes: row.try_get("bytes").unwrap_or_default(),
        owner: row.try_get("owner").unwrap_or_default(),
        grants: row.try_get::<_, Option<Vec<String>>>("grants").ok().flatten().unwrap_or_default(),
    };
    (names.object(&text("schema"), &text("name")), fact)
}

impl Alterer for PostgresAlterer {
    fn alterations(&self, request: &AlterRequest<'_>) -> Vec<Alteration> {
        Work::new(self, request, Limit::Quick).plan()
    }

    fn by_hand(&self, difference: &Difference, request: &AlterRequest<'_>) -> Option<String> {
        by_hand::by_hand(self, difference, request)
    }
}
