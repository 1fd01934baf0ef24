use longshore_migrate::files::script::{Dialect, tokens_in};
use longshore_migrate::schema::{Definition, Facet, ObjectKind, ObjectName};

use super::{
    index_text::IndexText,
    names::{Names, quoted},
    owner::{Owner, Owners, Rank},
    table::{Draft, joined, literal},
};
use crate::catalog::reader::Fields;

/// Reads a constraint of a table or of a domain.
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
    let base_definition = Definition::new()
        .with_optional(Facet::Validity, validity)
        .with_optional(Facet::Enabled, row.optional("enabled").map(str::to_owned))
        .with_optional(Facet::Comment, comment);
    let (object, rank) = match row.text("kind") {
        "p" => {
            primary_key(owner, &owner_name, columns, &valid);
            if let Some(draft) = draft {
                draft.lines.push(format!("CONSTRAINT {} {written}", quoted(own_name)));
            }
            return;
        }
        "u" => {
            let definition = base_definition.with_optional(Facet::Terms, behind_columns(&valid));
            (owner.add_constraint(ObjectKind::Unique, &owner_name, columns, definition), Rank::Constraint)
        }
        "f" => {
            let references = valid.find(" REFERENCES ").map_or(valid.as_str(), |at| &valid[at + 1..]);
            let definition = base_definition.with(Facet::References, references);
            (owner.add_constraint(ObjectKind::ForeignKey, &owner_name, columns, definition), Rank::ForeignKey)
        }
        "x" => {
            let terms = valid.strip_prefix("EXCLUDE ").unwrap_or(&valid);
            (owner.add_constraint(ObjectKind::Exclusion, &owner_name, terms, base_definition), Rank::Constraint)
        }
        _ => {
            let expression = names.optional(row.optional("expression")).unwrap_or_else(|| valid.clone());
            let expression = without_brackets(&expression);
            let behind = valid.rfind(')').map_or("", |at| &valid[at + 1..]).trim();
            let rest = (!behind.is_empty()).then(|| behind.to_owned());
            let definition = base_definition.with_optional(Facet::Terms, rest);
            (owner.add_constraint(ObjectKind::Check, &owner_name, expression, definition), Rank::Constraint)
        }
    };
    let (word, on) = if row.truth("is_of_domain") { ("DOMAIN", "DOMAIN ") } else { ("TABLE", "") };
    let (name, sql) = (quoted(own_name), names.sql(schema, base));
    let comment = row.optional("comment");
    let comment = comment.map(|text| format!("COMMENT ON CONSTRAINT {name} ON {on}{sql} IS {}", literal(text)));
    let made = format!("ALTER {word} {sql} ADD CONSTRAINT {name} {written}");
    owner.make(rank, object, joined([Some(made), comment].into_iter().flatten()));
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
    // PostgreSQL 18 says it of the last column.
    let overlaps = if written.contains(" WITHOUT OVERLAPS)") { "WITHOUT OVERLAPS " } else { "" };
    let terms = format!("{} {overlaps}{}", modifiers.trim(), tail).trim().to_owned();
    (!terms.is_empty()).then_some(terms)
}

fn index_tail(written: &str) -> String {
    IndexText::read(&format!("USING btree {}", written.find('(').map_or("", |at| &written[at..])))
        .rest
        .unwrap_or_default()
}

/// The expression that the server puts into brackets as a whole.
pub(super) fn without_brackets(expression: &str) -> &str {
    let inner = expression.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    let Some(inner) = inner else { return expression };
    let mut depth = 0_i64;
    for token in tokens_in(Dialect::Postgres, inner) {
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
