//! What stands on a table or a view: indexes, triggers, rules, statistics and policies.

use longshore_migrate::files::script::{Dialect, tokens_in};
use longshore_migrate::schema::{Definition, Facet, ObjectKind, ObjectName};

use super::{
    constraint::without_brackets,
    index_text::IndexText,
    names::{Names, quoted},
    owner::{Owners, Rank},
    table::{joined, literal},
};
use crate::catalog::reader::Fields;

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
    let written = if kind == ObjectKind::Statistics { with_sorted_columns(&written) } else { written };
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

/// The server lists the columns of statistics as the table has them, and their order means nothing.
fn with_sorted_columns(statement: &str) -> String {
    let (Some(on), Some(from)) = (statement.find(" ON "), statement.rfind(" FROM ")) else {
        return statement.to_owned();
    };
    let mut depth = 0_usize;
    let mut columns = vec![String::new()];
    for token in tokens_in(Dialect::Postgres, &statement[on + 4..from]) {
        match token.text {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            "," if depth == 0 => {
                columns.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(column) = columns.last_mut() {
            column.push_str(token.text);
        }
    }
    let mut columns: Vec<&str> = columns.iter().map(|column| column.trim()).collect();
    columns.sort_unstable();
    format!("{} ON {}{}", &statement[..on], columns.join(", "), &statement[from..])
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
