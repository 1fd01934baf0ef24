//! Tables, views and what belongs to them: the meaning, and the statements that make them.

use longshore_migrate::schema::{Definition, Facet, ObjectKind, ObjectName};

use super::{
    canonical::canonical,
    index::IndexText,
    names::{Names, quoted},
    owner::{Owner, Owners, Rank},
};
use crate::catalog::reader::Fields;

/// The parts of `CREATE TABLE`, until every catalog has been read.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) sql: String,
    head: String,
    lines: Vec<String>,
    is_partition: bool,
    tail: String,
    after: Vec<String>,
}

impl Names {
    /// An expression or a type with real names, in its one form.
    fn meaning(&self, text: &str) -> String {
        canonical(&self.text(text))
    }

    fn optional(&self, text: Option<&str>) -> Option<String> {
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
        let definition = Definition::new()
            .with(Facet::Query, &query)
            .with_optional(Facet::Options, options.clone())
            .with_optional(Facet::Comment, comment.map(literal));
        owner.add(object.clone(), definition);
        let word = if kind == "v" { "VIEW" } else { "MATERIALIZED VIEW" };
        let with = options.map(|options| format!(" WITH ({options})")).unwrap_or_default();
        let made = [Some(format!("CREATE {word} {sql}{with} AS\n{query}")), comment_sql(word)];
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

/// A column of a table.
pub(super) fn column(row: &Fields<'_>, names: &Names, owners: &mut Owners, draft: Option<&mut Draft>) {
    let (schema, base, name) = (row.text("schema"), row.text("owner"), row.text("name"));
    let owner_name = names.object(schema, base);
    let of_type = names.text(row.text("type"));
    let default = names.optional(row.optional("default"));
    let generated = match row.text("generated") {
        "s" => default.as_ref().map(|expression| format!("GENERATED ALWAYS AS ({expression}) STORED")),
        "v" => default.as_ref().map(|expression| format!("GENERATED ALWAYS AS ({expression}) VIRTUAL")),
        _ => None,
    };
    let identity = row.optional("identity").map(|identity| {
        format!("GENERATED {identity} AS IDENTITY ({})", row.optional("identity_values").unwrap_or_default())
    });
    let is_not_null = row.truth("is_not_null");
    let collation = row.optional("collation").map(|collation| names.text(collation));
    let own_default = if generated.is_none() { default } else { None };
    let comment = row.optional("comment");
    let storage = row.optional("storage");
    let definition = Definition::new()
        .with(Facet::Type, &of_type)
        .with_optional(Facet::Nullability, is_not_null.then(|| "NOT NULL".to_owned()))
        .with_optional(Facet::Default, own_default.clone())
        .with_optional(Facet::Generated, generated.clone())
        .with_optional(Facet::Identity, identity.clone())
        .with_optional(Facet::Collation, collation.clone())
        .with_optional(Facet::Storage, storage.map(str::to_owned))
        .with_optional(Facet::Comment, comment.map(literal));
    owners.of(&owner_name, base).add(ObjectName::on(ObjectKind::Column, &owner_name, name), definition);
    let Some(draft) = draft else { return };
    let parts = [
        Some(format!("{} {of_type}", quoted(name))),
        collation.map(|collation| format!("COLLATE {collation}")),
        generated,
        identity,
        own_default.map(|default| format!("DEFAULT {default}")),
        is_not_null.then(|| "NOT NULL".to_owned()),
    ];
    if !draft.is_partition {
        draft.lines.push(parts.into_iter().flatten().collect::<Vec<_>>().join(" "));
    }
    let table = &draft.sql;
    if let Some(storage) = storage {
        draft.after.push(format!("ALTER TABLE {table} ALTER COLUMN {} SET STORAGE {storage}", quoted(name)));
    }
    if let Some(text) = comment {
        draft.after.push(format!("COMMENT ON COLUMN {table}.{} IS {}", quoted(name), literal(text)));
    }
}

/// A constraint of a table or of a domain.
pub(super) fn constraint(row: &Fields<'_>, names: &Names, owners: &mut Owners, draft: Option<&mut Draft>) {
    let (schema, base, own_name) = (row.text("schema"), row.text("owner"), row.text("name"));
    let owner_name = names.object(schema, base);
    let written = names.meaning(row.text("definition"));
    let valid = written.trim_end_matches(" NOT VALID").to_owned();
    let is_valid = row.truth("is_valid");
    let validity = (!is_valid).then(|| "NOT VALID".to_owned());
    let columns = row.optional("columns").unwrap_or_default();
    let comment = row.optional("comment").map(literal);
    let owner = owners.of(&owner_name, base);
    let base_definition =
        Definition::new().with_optional(Facet::Validity, validity).with_optional(Facet::Comment, comment);
    match row.text("kind") {
        "p" => primary_key(owner, &owner_name, columns, &valid),
        "u" => {
            let terms = behind_columns(&valid);
            owner.add_constraint(
                ObjectKind::Unique,
                &owner_name,
                columns,
                base_definition.with_optional(Facet::Terms, terms),
            );
        }
        "f" => {
            let references = valid.find(" REFERENCES ").map_or(valid.as_str(), |at| &valid[at + 1..]);
            let definition = base_definition.with(Facet::References, references);
            owner.add_constraint(ObjectKind::ForeignKey, &owner_name, columns, definition);
        }
        "x" => {
            let terms = valid.strip_prefix("EXCLUDE ").unwrap_or(&valid);
            owner.add_constraint(ObjectKind::Exclusion, &owner_name, terms, base_definition);
        }
        _ => {
            let expression = names.optional(row.optional("expression")).unwrap_or_else(|| valid.clone());
            let expression = without_brackets(&expression);
            let rest = valid.contains(" NO INHERIT").then(|| "NO INHERIT".to_owned());
            let definition = base_definition.with_optional(Facet::Terms, rest);
            owner.add_constraint(ObjectKind::Check, &owner_name, expression, definition);
        }
    }
    let Some(draft) = draft else { return };
    let line = format!("CONSTRAINT {} {written}", quoted(own_name));
    if row.text("kind") == "f" {
        let sql = format!("ALTER TABLE {} ADD {line}", draft.sql);
        let object = owner.objects.keys().filter(|object| object.kind == ObjectKind::ForeignKey);
        let object = object.filter(|object| object.name.starts_with(columns)).max().cloned();
        if let Some(object) = object {
            owner.make(Rank::ForeignKey, object, sql);
        }
    } else if is_valid && !draft.is_partition {
        draft.lines.push(line);
    } else {
        draft.after.push(format!("ALTER TABLE {} ADD {line}", draft.sql));
    }
}

fn primary_key(owner: &mut Owner, owner_name: &str, columns: &str, written: &str) {
    let table = ObjectName::table(owner_name);
    let definition = owner.objects.remove(&table).unwrap_or_default();
    let definition = definition.with(Facet::PrimaryKey, columns).with_optional(Facet::Terms, behind_columns(written));
    owner.add(table, definition);
}

/// What a key says apart from its columns: INCLUDE, NULLS NOT DISTINCT, DEFERRABLE.
fn behind_columns(written: &str) -> Option<String> {
    let head = written.find('(').map_or("", |at| &written[..at]);
    let modifiers = head.replace("PRIMARY KEY", "").replace("UNIQUE", "");
    let tail = index_tail(written);
    let terms = format!("{} {}", modifiers.trim(), tail).trim().to_owned();
    (!terms.is_empty()).then_some(terms)
}

fn index_tail(written: &str) -> String {
    IndexText::read(&format!("USING btree {}", written.find('(').map_or("", |at| &written[at..])))
        .rest
        .unwrap_or_default()
}

/// The expression that the server puts into brackets as a whole.
fn without_brackets(expression: &str) -> &str {
    let inner = expression.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    let Some(inner) = inner else { return expression };
    let mut depth = 0_i64;
    for token in longshore_migrate::files::script::tokens_in(longshore_migrate::files::script::Dialect::Postgres, inner)
    {
        match token.text {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ => {}
        }
        if depth < 0 {
            return expression;
        }
    }
    inner
}

/// An index of its own.
pub(super) fn index(row: &Fields<'_>, names: &Names, owners: &mut Owners) {
    let (schema, base, name) = (row.text("schema"), row.text("owner"), row.text("name"));
    let owner_name = names.object(schema, base);
    // Those of the partitions are made with it.
    let written = names.meaning(row.text("definition")).replacen(" ON ONLY ", " ON ", 1);
    let text = IndexText::read(&written);
    let method = row.text("method");
    let comment = row.optional("comment");
    let definition = Definition::new()
        .with(Facet::IndexColumns, text.terms)
        .with_optional(Facet::Terms, text.rest)
        .with_optional(Facet::IndexUnique, row.truth("is_unique").then(|| "UNIQUE".to_owned()))
        .with_optional(Facet::IndexPredicate, names.optional(row.optional("predicate")))
        .with_optional(Facet::Method, (method != "btree").then(|| method.to_owned()))
        .with_optional(Facet::Options, row.optional("options").map(str::to_owned))
        .with_optional(Facet::Validity, (!row.truth("is_valid")).then(|| "INVALID".to_owned()))
        .with_optional(Facet::Comment, comment.map(literal));
    let object = ObjectName::on(ObjectKind::Index, &owner_name, name);
    let comment = comment.map(|text| format!("COMMENT ON INDEX {} IS {}", names.sql(schema, name), literal(text)));
    let owner = owners.of(&owner_name, base);
    owner.add(object.clone(), definition);
    owner.make(Rank::Index, object, joined([Some(written), comment].into_iter().flatten()));
}

/// A trigger, a rule or statistics: the statement says everything.
pub(super) fn part(kind: ObjectKind, row: &Fields<'_>, names: &Names, owners: &mut Owners) {
    let (schema, base, name) = (row.text("schema"), row.text("owner"), row.text("name"));
    let owner_name = names.object(schema, base);
    let written = names.meaning(row.text("definition").trim_end_matches(';'));
    let facet = if kind == ObjectKind::Trigger { Facet::Body } else { Facet::Statement };
    let enabled = if kind == ObjectKind::Statistics { None } else { row.optional("enabled").map(str::to_owned) };
    let comment = row.optional("comment");
    let definition = Definition::new()
        .with(facet, &written)
        .with_optional(Facet::Enabled, enabled.clone())
        .with_optional(Facet::Comment, comment.map(literal));
    let object = ObjectName::on(kind, &owner_name, name);
    let table = names.sql(schema, base);
    let word = kind.word().to_uppercase();
    let enabled = enabled.map(|enabled| {
        let how = match enabled.as_str() {
            "DISABLED" => "DISABLE",
            "ENABLED REPLICA" => "ENABLE REPLICA",
            _ => "ENABLE ALWAYS",
        };
        format!("ALTER TABLE {table} {how} {word} {}", quoted(name))
    });
    let comment = comment.map(|text| match kind {
        ObjectKind::Statistics => format!("COMMENT ON STATISTICS {} IS {}", names.sql(schema, name), literal(text)),
        _ => format!("COMMENT ON {word} {} ON {table} IS {}", quoted(name), literal(text)),
    });
    let owner = owners.of(&owner_name, base);
    owner.add(object.clone(), definition);
    owner.make(Rank::Part, object, joined([Some(written), enabled, comment].into_iter().flatten()));
}

/// A row-level security policy.
pub(super) fn policy(row: &Fields<'_>, names: &Names, owners: &mut Owners) {
    let (schema, base, name) = (row.text("schema"), row.text("owner"), row.text("name"));
    let owner_name = names.object(schema, base);
    let mut text = format!("FOR {} TO {}", row.text("command"), row.text("roles"));
    if !row.truth("is_permissive") {
        text.insert_str(0, "AS RESTRICTIVE ");
    }
    for (word, column) in [("USING", "condition"), ("WITH CHECK", "with_check")] {
        if let Some(expression) = names.optional(row.optional(column)) {
            text.push_str(&format!(" {word} ({})", without_brackets(&expression)));
        }
    }
    let comment = row.optional("comment");
    let definition = Definition::new().with(Facet::Policy, &text).with_optional(Facet::Comment, comment.map(literal));
    let object = ObjectName::on(ObjectKind::Policy, &owner_name, name);
    let table = names.sql(schema, base);
    let comment = comment.map(|text| format!("COMMENT ON POLICY {} ON {table} IS {}", quoted(name), literal(text)));
    let made = format!("CREATE POLICY {} ON {table} {text}", quoted(name));
    let owner = owners.of(&owner_name, base);
    owner.add(object.clone(), definition);
    owner.make(Rank::Part, object, joined([Some(made), comment].into_iter().flatten()));
}

/// A sequence, of its own or of a serial column.
pub(super) fn sequence(row: &Fields<'_>, names: &Names, owners: &mut Owners, draft: Option<&mut Draft>) {
    let name = row.text("name");
    let (schema, own_schema) = (row.text("schema"), row.text("own_schema"));
    let sql = names.sql(own_schema, name);
    let values = row.text("values");
    let comment = row.optional("comment");
    let mut definition = Definition::new()
        .with(Facet::Values, values)
        .with_optional(Facet::Persistence, row.truth("is_unlogged").then(|| "UNLOGGED".to_owned()))
        .with_optional(Facet::Comment, comment.map(literal));
    let comment = comment.map(|text| format!("COMMENT ON SEQUENCE {sql} IS {}", literal(text)));
    let (object, owner) = match (row.optional("owner"), row.optional("owned_by")) {
        (Some(table), Some(column)) => {
            definition = definition.with(Facet::OwnedBy, column);
            if let Some(draft) = draft {
                draft.after.push(format!("ALTER SEQUENCE {sql} OWNED BY {}.{column}", draft.sql));
            }
            let owner_name = names.object(schema, table);
            (ObjectName::on(ObjectKind::Sequence, &owner_name, name), owners.of(&owner_name, table))
        }
        _ => {
            let own_name = names.object(own_schema, name);
            (ObjectName::alone(ObjectKind::Sequence, &own_name), owners.of(&own_name, name))
        }
    };
    owner.add(object.clone(), definition);
    let made = format!("CREATE SEQUENCE {sql} {values}");
    owner.make(Rank::Sequence, object, joined([Some(made), comment].into_iter().flatten()));
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
