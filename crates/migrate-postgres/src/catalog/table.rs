//! Tables and views themselves: the meaning, and the statements that make them.

use longshore_migrate::schema::{Definition, Facet, ObjectKind, ObjectName};

use super::{
    canonical::canonical,
    names::Names,
    owner::{Owners, Rank},
};
use crate::catalog::reader::Fields;

/// The parts of `CREATE TABLE`, until every catalog has been read.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) sql: String,
    head: String,
    pub(super) lines: Vec<String>,
    pub(super) is_partition: bool,
    tail: String,
    pub(super) after: Vec<String>,
}

impl Names {
    /// An expression or a type with real names, in its one form.
    pub(super) fn meaning(&self, text: &str) -> String {
        canonical(&self.text(text))
    }

    pub(super) fn optional(&self, text: Option<&str>) -> Option<String> {
        text.map(|text| self.meaning(text))
    }
}

/// What the relation itself says.
pub(super) fn relation(row: &Fields<'_>, names: &Names, owners: &mut Owners) -> Option<Draft> {
    let (schema, base) = (row.text("schema"), row.text("name"));
    let (name, sql) = (names.object(schema, base), names.sql(schema, base));
    let comment = row.optional("comment");
    let kind = row.text("kind");
    let object = match kind {
        "v" => ObjectName::view(&name),
        "m" => ObjectName::alone(ObjectKind::MaterializedView, &name),
        _ => ObjectName::table(&name),
    };
    let options = row.optional("options").map(str::to_owned);
    let owner = owners.of(&name, base);
    let comment_sql = |word: &str| comment.map(|text| format!("COMMENT ON {word} {sql} IS {}", literal(text)));
    if let Some(query) = row.optional("query") {
        let query = names.meaning(query.trim().trim_end_matches(';'));
        let defaults = names.optional(row.optional("view_defaults"));
        let definition = Definition::new()
            .with(Facet::Query, &query)
            .with_optional(Facet::Default, defaults.clone())
            .with_optional(Facet::Options, options.clone())
            .with_optional(Facet::Comment, comment.map(literal));
        owner.add(object.clone(), definition);
        let word = if kind == "v" { "VIEW" } else { "MATERIALIZED VIEW" };
        let with = options.map(|options| format!(" WITH ({options})")).unwrap_or_default();
        let defaults = defaults.map(|defaults| format!("ALTER TABLE {sql} {defaults}"));
        let made = [Some(format!("CREATE {word} {sql}{with} AS\n{query}")), defaults, comment_sql(word)];
        owner.make(Rank::View, object, joined(made.into_iter().flatten()));
        return None;
    }
    let parents = row.optional("parents").map(|parents| names.text(parents));
    owner.is_child = parents.is_some();
    owner.depth = usize::from(owner.is_child) + usize::from(owner.is_child && row.optional("partition_key").is_none());
    let partition = row
        .optional("partition_bound")
        .map(|bound| format!("{} {}", parents.clone().unwrap_or_default(), names.meaning(bound)));
    let row_security = match (row.truth("has_row_security"), row.truth("forces_row_security")) {
        (true, true) => Some("ENABLED, FORCED"),
        (true, false) => Some("ENABLED"),
        (false, true) => Some("FORCED"),
        (false, false) => None,
    };
    let is_unlogged = row.truth("is_unlogged");
    let inherits = if partition.is_none() { parents.clone() } else { None };
    let definition = Definition::new()
        .with_optional(Facet::Persistence, is_unlogged.then(|| "UNLOGGED".to_owned()))
        .with_optional(Facet::Module, row.optional("server").map(str::to_owned))
        .with_optional(Facet::PartitionBy, names.optional(row.optional("partition_key")))
        .with_optional(Facet::PartitionOf, partition)
        .with_optional(Facet::Inherits, inherits.clone())
        .with_optional(Facet::RowSecurity, row_security.map(str::to_owned))
        .with_optional(Facet::ReplicaIdentity, row.optional("replica_identity").map(str::to_owned))
        .with_optional(Facet::Options, options.clone())
        .with_optional(Facet::Comment, comment.map(literal));
    owner.add(object, definition);
    let mut draft = Draft { name, sql: sql.clone(), ..Draft::default() };
    let word = match (kind, is_unlogged) {
        ("f", _) => "FOREIGN TABLE",
        (_, true) => "UNLOGGED TABLE",
        (_, false) => "TABLE",
    };
    draft.head = format!("CREATE {word} {sql}");
    if let Some(bound) = row.optional("partition_bound") {
        draft.is_partition = true;
        draft.head.push_str(&format!(" PARTITION OF {} {}", parents.unwrap_or_default(), names.meaning(bound)));
    } else if let Some(parents) = inherits {
        draft.tail.push_str(&format!(" INHERITS ({parents})"));
    }
    if let Some(key) = row.optional("partition_key") {
        draft.tail.push_str(&format!(" PARTITION BY {}", names.meaning(key)));
    }
    if let Some(server) = row.optional("server") {
        draft.tail.push_str(&format!(" SERVER {server}"));
    }
    draft.tail.push_str(&options.map(|options| format!(" WITH ({options})")).unwrap_or_default());
    if row.truth("has_row_security") {
        draft.after.push(format!("ALTER TABLE {sql} ENABLE ROW LEVEL SECURITY"));
    }
    if row.truth("forces_row_security") {
        draft.after.push(format!("ALTER TABLE {sql} FORCE ROW LEVEL SECURITY"));
    }
    if let Some(identity) = row.optional("replica_identity").filter(|identity| !identity.starts_with("INDEX")) {
        draft.after.push(format!("ALTER TABLE {sql} REPLICA IDENTITY {identity}"));
    }
    draft.after.extend(comment_sql("TABLE"));
    Some(draft)
}

impl Draft {
    /// The whole statement.
    pub(super) fn finish(self, owners: &mut Owners) {
        let mut head = self.head;
        if !self.is_partition {
            let lines: Vec<String> = self.lines.iter().map(|line| format!("    {line}")).collect();
            head.push_str(&if lines.is_empty() { " ()".to_owned() } else { format!(" (\n{}\n)", lines.join(",\n")) });
        }
        let made = format!("{head}{}", self.tail);
        let object = ObjectName::table(&self.name);
        if let Some(owner) = owners.0.get_mut(&self.name) {
            owner.make(Rank::Table, object, joined(std::iter::once(made).chain(self.after)));
        }
    }
}

pub(super) fn joined(statements: impl IntoIterator<Item = String>) -> String {
    statements.into_iter().collect::<Vec<_>>().join(";\n")
}

pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
