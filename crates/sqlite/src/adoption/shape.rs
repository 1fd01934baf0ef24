//! The items of a `CREATE TABLE`: cut apart, changed, and put together again, each just as it was written.

use longshore_migrate::files::script::{Token, TokenKind, tokens};

/// One column or constraint of a `CREATE TABLE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    /// Just as written, without comments.
    pub(super) text: String,
}

/// The words with which a constraint of the whole table begins.
const CONSTRAINTS: [&str; 5] = ["constraint", "primary", "unique", "check", "foreign"];

impl Item {
    /// The name of the column; `None` for a constraint.
    pub(super) fn column(&self) -> Option<String> {
        let words = self.words();
        let first = words.first()?;
        let is_constraint = CONSTRAINTS.iter().any(|word| first.is(word));
        (!is_constraint).then(|| first.name().to_lowercase())
    }

    /// The words and symbols.
    pub(super) fn words(&self) -> Vec<Token<'_>> {
        tokens(&self.text).into_iter().filter(Token::has_meaning).collect()
    }

    /// Whether one of these names stands in it.
    pub(super) fn names(&self, names: &[&str]) -> bool {
        mentions(&self.text, names)
    }

    /// The column as one that a row may do without: the queue's own statements do not know it.
    pub(super) fn optional(&self) -> Self {
        let words = self.words();
        let has_default = words.iter().any(|word| word.is("default") || word.is("as"));
        let mut gone = vec![false; words.len()];
        for at in 0..words.len() {
            let is = |offset: usize, word: &str| words.get(at + offset).is_some_and(|token| token.is(word));
            let length = if is(0, "not") && is(1, "null") && !has_default {
                2 + if is(2, "on") && is(3, "conflict") { 3 } else { 0 }
            } else if is(0, "primary") && is(1, "key") {
                2 + usize::from(is(2, "asc") || is(2, "desc")) + usize::from(is(2, "autoincrement"))
            } else {
                0
            };
            gone.iter_mut().skip(at).take(length).for_each(|gone| *gone = true);
        }
        let mut at = 0;
        let mut text = String::new();
        for token in tokens(&self.text) {
            if !token.has_meaning() {
                text.push_str(token.text);
                continue;
            }
            if !gone.get(at).copied().unwrap_or_default() {
                text.push_str(token.text);
            }
            at += 1;
        }
        Self { text: text.trim().to_owned() }
    }
}

/// Whether a text of SQL has one of these names in it.
pub(super) fn mentions(sql: &str, names: &[&str]) -> bool {
    let is_name = |token: &Token<'_>| matches!(token.kind, TokenKind::Word | TokenKind::Quoted);
    let found: Vec<String> =
        tokens(sql).iter().filter(|token| is_name(token)).map(|it| it.name().to_lowercase()).collect();
    names.iter().any(|name| found.iter().any(|one| one == name))
}

/// The items of a `CREATE TABLE` in their order.
pub(super) fn items(sql: &str) -> Vec<Item> {
    let mut items = Vec::new();
    let mut text = String::new();
    let mut depth = 0_usize;
    for token in tokens(sql) {
        match token.text {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ => {}
        }
        let is_end = depth == 0 && token.text == ")" || depth == 1 && token.text == ",";
        if is_end {
            items.push(Item { text: std::mem::take(&mut text).trim().to_owned() });
            if depth == 0 {
                break;
            }
        } else if depth > 1 || depth == 1 && token.text != "(" {
            let is_comment = matches!(token.kind, TokenKind::Comment);
            text.push_str(if is_comment { " " } else { token.text });
        }
    }
    items.retain(|item| !item.text.is_empty());
    items
}

/// The same table with more columns and constraints, each in its place.
pub(super) fn with_items(table: &str, sql: &str, more: &[Item]) -> String {
    let own = items(sql);
    let is_column = |item: &&Item| item.column().is_some();
    let columns = own.iter().filter(is_column).chain(more.iter().filter(is_column));
    let constraints = own.iter().chain(more).filter(|item| item.column().is_none());
    let texts: Vec<&str> = columns.chain(constraints).map(|item| item.text.as_str()).collect();
    format!("CREATE TABLE {table} (\n    {}\n)", texts.join(",\n    "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQL: &str = "CREATE TABLE a ( -- (what, it is)\n id INTEGER PRIMARY KEY, \"b c\" TEXT DEFAULT (f(1, 2)) CHECK (\"b c\" < x''), CHECK (id > 0), FOREIGN KEY (id) REFERENCES a (id)) STRICT";

    #[test]
    fn items_are_cut_at_the_commas_of_the_table_alone() {
        let texts: Vec<String> = items(SQL).into_iter().map(|item| item.text).collect();
        let expected = [
            "id INTEGER PRIMARY KEY",
            "\"b c\" TEXT DEFAULT (f(1, 2)) CHECK (\"b c\" < x'')",
            "CHECK (id > 0)",
            "FOREIGN KEY (id) REFERENCES a (id)",
        ];
        assert_eq!(texts, expected);
        let columns: Vec<Option<String>> = items(SQL).iter().map(Item::column).collect();
        assert_eq!(columns, [Some("id".to_owned()), Some("b c".to_owned()), None, None]);
    }

    #[test]
    fn more_columns_stand_before_the_constraints() {
        let more = [Item { text: "d TEXT".to_owned() }, Item { text: "UNIQUE (d)".to_owned() }];
        let sql = with_items("a", SQL, &more);
        let d = sql.find("d TEXT").unwrap();
        assert!(d < sql.find("CHECK (id > 0)").unwrap() && sql.ends_with("UNIQUE (d)\n)"), "{sql}");
    }

    #[test]
    fn a_kept_column_may_be_left_out() {
        let optional = |text: &str| Item { text: text.to_owned() }.optional().text;
        assert_eq!(optional("d TEXT NOT NULL CHECK (d > '')"), "d TEXT   CHECK (d > '')");
        assert_eq!(optional("d TEXT NOT NULL DEFAULT 'x'"), "d TEXT NOT NULL DEFAULT 'x'");
        assert_eq!(optional("d TEXT UNIQUE"), "d TEXT UNIQUE");
    }
}
