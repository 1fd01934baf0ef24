//! What is asked of rows before a statement runs, and how values get another type.

use longshore_migrate::{
    alterer::{Breach, RowCondition},
    files::script::{Dialect, TokenKind, tokens_in},
    schema::ObjectName,
};

use crate::catalog::quoted;

fn prevents(count: String, rows: &str) -> RowCondition {
    RowCondition { count, breach: Breach::Prevents(rows.to_owned()) }
}

/// There must be no row at all for a new column that wants a value and has no default.
pub(super) fn none(table: &str, column: &str) -> RowCondition {
    prevents(
        format!("SELECT count(*) FROM {table}"),
        &format!("without a value for the new column {column}, which has no default"),
    )
}

pub(super) fn nulls(table: &str, column: &str) -> RowCondition {
    prevents(format!("SELECT count(*) FROM {table} WHERE {column} IS NULL"), &format!("without a value in {column}"))
}

pub(super) fn breaking(table: &str, expression: &str) -> RowCondition {
    let count = format!("SELECT count(*) FROM {table} WHERE NOT ({expression})");
    prevents(count, &format!("against {expression}"))
}

/// Rows whose key is there more than once.
pub(super) fn duplicates(table: &str, columns: &str, nulls_are_equal: bool) -> RowCondition {
    repeated(table, &listed(columns), None, nulls_are_equal)
}

/// The same for a unique index, which may be of expressions and of the rows of a predicate alone.
pub(super) fn repeated(table: &str, terms: &[String], predicate: Option<&str>, nulls_are_equal: bool) -> RowCondition {
    let present = terms.iter().filter(|_| !nulls_are_equal).map(|term| format!("{term} IS NOT NULL"));
    let wanted: Vec<String> = predicate.map(|predicate| format!("({predicate})")).into_iter().chain(present).collect();
    let filter = if wanted.is_empty() { String::new() } else { format!(" WHERE {}", wanted.join(" AND ")) };
    let terms = terms.join(", ");
    let count = format!(
        "SELECT coalesce(sum(n), 0)::bigint FROM (SELECT count(*) AS n FROM {table}{filter} GROUP BY {terms} \
         HAVING count(*) > 1) AS d"
    );
    prevents(count, &format!("with the same {terms} as another one"))
}

/// The terms of an index without their order. `None` where one has a collation or an operator class.
pub(super) fn index_terms(text: &str) -> Option<Vec<String>> {
    let mut terms = vec![String::new()];
    let mut depth = 0_usize;
    for token in tokens_in(Dialect::Postgres, text) {
        match token.text {
            "(" => depth += 1,
            ")" => depth = depth.checked_sub(1)?,
            "," if depth == 0 => {
                terms.push(String::new());
                continue;
            }
            _ => {}
        }
        terms.last_mut()?.push_str(token.text);
    }
    terms.iter().map(|term| without_order(term)).collect()
}

fn without_order(term: &str) -> Option<String> {
    let mut term = term.trim();
    for order in [" NULLS FIRST", " NULLS LAST", " ASC", " DESC"] {
        term = term.strip_suffix(order).unwrap_or(term);
    }
    let mut depth = 0_usize;
    let has_more = tokens_in(Dialect::Postgres, term).iter().any(|token| {
        match token.text {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && token.kind == TokenKind::Space
    });
    (!term.is_empty() && !has_more).then(|| term.to_owned())
}

/// Rows that refer to nothing; `references` is what a foreign key says behind its columns.
pub(super) fn orphans(table: &str, columns: &str, references: &str) -> Option<RowCondition> {
    let rest = references.strip_prefix("REFERENCES ")?;
    let (parent, rest) = rest.split_once('(')?;
    let (keys, _) = rest.split_once(')')?;
    let (columns, keys) = (listed(columns), listed(keys));
    let pairs = columns.iter().zip(&keys);
    let equal: Vec<String> = pairs.map(|(column, key)| format!("p.{key} = c.{column}")).collect();
    let present: Vec<String> = columns.iter().map(|column| format!("c.{column} IS NOT NULL")).collect();
    let count = format!(
        "SELECT count(*) FROM {table} AS c WHERE {} AND NOT EXISTS (SELECT FROM {parent} AS p WHERE {})",
        present.join(" AND "),
        equal.join(" AND ")
    );
    Some(prevents(count, &format!("with a reference to no row of {parent}")))
}

/// `a, "b,c"` as its names.
fn listed(columns: &str) -> Vec<String> {
    let mut names = vec![String::new()];
    let mut is_quoted = false;
    for letter in columns.chars() {
        match letter {
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => {
                names.push(String::new());
                continue;
            }
            _ => {}
        }
        names.last_mut().expect("there is one from the beginning").push(letter);
    }
    names.into_iter().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}

/// Values that are not what the expression gives.
pub(super) fn other_values(object: &ObjectName, table: &str, expression: &str) -> RowCondition {
    let column = quoted(&object.name);
    let count = format!("SELECT count(*) FROM {table} WHERE {column} IS DISTINCT FROM ({expression})");
    RowCondition { count, breach: Breach::Loses(object.owner().to_owned(), object.name.clone()) }
}

/// The expression of `GENERATED ALWAYS AS (…) STORED`.
pub(super) fn expression(generated: &str) -> Option<&str> {
    let rest = generated.strip_prefix("GENERATED ALWAYS AS (")?;
    rest.strip_suffix(") STORED").or_else(|| rest.strip_suffix(") VIRTUAL"))
}

/// Values that are not the same after they went to the other type and back.
pub(super) fn changed(object: &ObjectName, table: &str, from: &str, to: &str) -> RowCondition {
    let column = quoted(&object.name);
    let there = if is_cast_by_itself(from, to) { format!("({column})::{to}") } else { converted(&column, to) };
    let back = if is_cast_by_itself(to, from) { format!("({there})::{from}") } else { converted(&there, from) };
    // These have no equality.
    let is_text = ["json", "xml", "point", "line", "lseg", "box", "path", "polygon", "circle"].contains(&from);
    let (back, before) =
        if is_text { (format!("({back})::text"), format!("{column}::text")) } else { (back, column.clone()) };
    let count = format!("SELECT count(*) FROM {table} WHERE {column} IS NOT NULL AND {back} IS DISTINCT FROM {before}");
    RowCondition { count, breach: Breach::Loses(object.owner().to_owned(), object.name.clone()) }
}

/// Every type can be read from its text.
pub(super) fn converted(expression: &str, to: &str) -> String {
    format!("({expression})::text::{to}")
}

/// The type without its bounds.
fn base(of_type: &str) -> String {
    let (head, tail) = of_type.split_once('(').unwrap_or((of_type, ""));
    let behind = tail.split_once(')').map_or("", |(_, behind)| behind);
    format!("{}{behind}", head.trim())
}

/// Whether the server converts such values when it stores them, without being told how.
pub(super) fn is_cast_by_itself(from: &str, to: &str) -> bool {
    const FAMILIES: [&[&str]; 3] = [
        &["smallint", "integer", "bigint", "numeric", "real", "double precision"],
        &["text", "character varying", "character"],
        &["date", "timestamp without time zone", "timestamp with time zone"],
    ];
    let (from, to) = (base(from), base(to));
    let holds = |family: &&[&str]| family.contains(&from.as_str()) && family.contains(&to.as_str());
    from == to || FAMILIES.iter().any(holds)
}

/// Whether a text type takes every value of another one as it is.
pub(super) fn is_wider_text(from: &str, to: &str) -> bool {
    let length = |of_type: &str| of_type.strip_prefix("character varying(")?.strip_suffix(')')?.parse::<u32>().ok();
    let is_text = |of_type: &str| of_type == "text" || of_type.starts_with("character varying");
    if !(is_text(from) && is_text(to)) {
        return false;
    }
    match (length(from), length(to)) {
        (_, None) => true,
        (Some(from), Some(to)) => to >= from,
        (None, Some(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_types_of_one_family_are_converted_without_a_word() {
        assert!(is_cast_by_itself("numeric(10,3)", "numeric(10,2)") && is_cast_by_itself("bigint", "integer"));
        assert!(is_cast_by_itself("timestamp(3) with time zone", "timestamp with time zone"));
        assert!(!is_cast_by_itself("text", "integer") && !is_cast_by_itself("text[]", "character varying[]"));
    }

    #[test]
    fn a_wider_text_needs_no_new_rows() {
        assert!(is_wider_text("character varying(5)", "character varying(40)"));
        assert!(is_wider_text("character varying(5)", "text") && is_wider_text("text", "character varying"));
        assert!(!is_wider_text("text", "character varying(5)") && !is_wider_text("integer", "text"));
    }

    #[test]
    fn rows_without_a_parent_are_counted_by_every_column() {
        let found = orphans("a", "b, \"c,d\"", "REFERENCES public.p(x, y) ON DELETE CASCADE").unwrap();
        assert_eq!(
            found.count,
            "SELECT count(*) FROM a AS c WHERE c.b IS NOT NULL AND c.\"c,d\" IS NOT NULL AND NOT EXISTS \
             (SELECT FROM public.p AS p WHERE p.x = c.b AND p.y = c.\"c,d\")"
        );
    }
}
