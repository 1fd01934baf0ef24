//! A migration on scratch schemas: every name of a real schema becomes that of its stand-in, and what reaches past the
//! schemas of the database is left out or made harmless.

use longshore_migrate::files::script::{Dialect, Token, TokenKind, tokens_in};

use crate::catalog::{Names, quoted};

/// What a scratch database does with a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Form {
    /// Runs it in these words.
    Run(String),
    /// Runs it in these words; what is there already is as good.
    RunUnlessThere(String),
    /// Leaves it out: it makes nothing that a schema shows.
    Skip,
}

/// The statement as a scratch database runs it.
pub(super) fn on_scratch(statement: &str, names: &Names) -> Form {
    let words = Dialect::Postgres.words(statement);
    let is = |at: usize, word: &str| words.get(at).is_some_and(|token| token.is(word));
    let is_any = |at: usize, of: &[&str]| of.iter().any(|word| is(at, word));
    let aside = ["vacuum", "cluster", "reindex", "analyze", "checkpoint", "notify", "listen", "unlisten", "reassign"];
    if is_any(0, &aside) || is(0, "drop") && is(1, "owned") {
        return Form::Skip;
    }
    // What belongs to the server or to the whole database exists once, so it must not be touched.
    let beyond = ["database", "tablespace", "publication", "subscription", "system", "default", "event", "language"];
    let is_definition = is_any(0, &["create", "alter", "drop"]);
    let kind_at = if is(1, "or") { 3 } else { 1 };
    if is_definition && is_any(kind_at, &beyond) {
        return Form::Skip;
    }
    let sets_role = is_any(0, &["set", "reset"])
        && (is_any(1, &["role", "session"]) && !is(2, "search_path") || is_any(2, &["role"]));
    if sets_role || is(0, "comment") && is_any(2, &["database", "role", "extension", "tablespace", "language"]) {
        return Form::Skip;
    }
    let of_server = ["role", "user", "group", "server", "foreign", "cast", "transform"];
    if is_definition && is_any(1, &of_server) && !(is(1, "foreign") && is(2, "table")) {
        return if is(0, "create") { Form::RunUnlessThere(rewritten(statement, names)) } else { Form::Skip };
    }
    if is_definition && is(1, "extension") {
        return if is(0, "create") { Form::Run(with_exists(&rewritten(statement, names))) } else { Form::Skip };
    }
    Form::Run(rewritten(&without_concurrently(statement), names))
}

/// `CREATE EXTENSION IF NOT EXISTS`, because the database may have it already.
fn with_exists(statement: &str) -> String {
    let words = Dialect::Postgres.words(statement);
    if words.get(2).is_some_and(|word| word.is("if")) {
        return statement.to_owned();
    }
    let mut done = false;
    let text = tokens_in(Dialect::Postgres, statement).into_iter().map(|token| {
        let is_it = !done && token.is("extension");
        done |= is_it;
        if is_it { format!("{} IF NOT EXISTS", token.text) } else { token.text.to_owned() }
    });
    text.collect()
}

fn without_concurrently(statement: &str) -> String {
    let words = Dialect::Postgres.words(statement);
    let is_one = ["create", "drop", "refresh", "alter"].iter().any(|word| words.first().is_some_and(|it| it.is(word)));
    if !is_one || !words.iter().any(|word| word.is("concurrently")) {
        return statement.to_owned();
    }
    let tokens = tokens_in(Dialect::Postgres, statement);
    tokens.iter().filter(|token| !token.is("concurrently")).map(|token| token.text).collect()
}

/// The schema that `CREATE SCHEMA` makes, where the statement is one.
pub(super) fn made_schema(statement: &str) -> Option<String> {
    let words = Dialect::Postgres.words(statement);
    let is = |at: usize, word: &str| words.get(at).is_some_and(|token| token.is(word));
    if !(is(0, "create") && is(1, "schema")) {
        return None;
    }
    let at = if is(2, "if") { 5 } else { 2 };
    words.get(at).filter(|word| !word.is("authorization")).map(|word| Dialect::Postgres.name(word))
}

/// The schemas that `DROP SCHEMA` takes away.
pub(super) fn dropped_schemas(statement: &str) -> Vec<String> {
    let words = Dialect::Postgres.words(statement);
    let is = |at: usize, word: &str| words.get(at).is_some_and(|token| token.is(word));
    if !(is(0, "drop") && is(1, "schema")) {
        return Vec::new();
    }
    let names = words.iter().skip(if is(2, "if") { 4 } else { 2 });
    let names = names.take_while(|word| !word.is("cascade") && !word.is("restrict")).filter(|word| word.text != ",");
    names.map(|word| Dialect::Postgres.name(word)).collect()
}

/// The schemas, apart from those that are known, in which the statement itself makes or changes something.
pub(super) fn target_schema(statement: &str) -> Option<String> {
    let words = Dialect::Postgres.words(statement);
    let kinds = [
        "table",
        "view",
        "index",
        "type",
        "domain",
        "sequence",
        "function",
        "procedure",
        "aggregate",
        "on",
        "statistics",
    ];
    if !["create", "alter", "drop"].iter().any(|word| words.first().is_some_and(|it| it.is(word))) {
        return None;
    }
    let kind = words.iter().position(|word| kinds.iter().any(|kind| word.is(kind)))?;
    let skipped = ["if", "not", "exists", "only", "concurrently"];
    let at = (kind + 1..words.len()).find(|at| !skipped.iter().any(|word| words[*at].is(word)))?;
    let is_qualified = words.get(at + 1).is_some_and(|word| word.text == ".");
    is_qualified.then(|| Dialect::Postgres.name(&words[at]))
}

/// The text with the stand-ins of schemas. Lines stay as they are.
pub(super) fn rewritten(text: &str, names: &Names) -> String {
    let tokens = tokens_in(Dialect::Postgres, text);
    let meaning: Vec<usize> = (0..tokens.len()).filter(|at| tokens[*at].has_meaning()).collect();
    let has_code = meaning.first().is_some_and(|first| {
        let is_create = tokens[*first].is("create");
        tokens[*first].is("do") || is_create && meaning.iter().take(5).any(|at| is_routine(&tokens[*at]))
    });
    let mut written: Vec<String> = tokens.iter().map(|token| token.text.to_owned()).collect();
    let mut list: Option<List> = None;
    for (place, at) in meaning.iter().copied().enumerate() {
        let token = &tokens[at];
        let near = |offset: isize| {
            let place = place.checked_add_signed(offset)?;
            meaning.get(place).map(|at| &tokens[*at])
        };
        let context = Context { before: near(-1), before_that: near(-2), next: near(1) };
        list = List::after(list, token, context.before);
        if let Some(text) = replaced(token, &context, list, has_code, names) {
            written[at] = text;
        }
    }
    written.concat()
}

fn is_routine(token: &Token<'_>) -> bool {
    token.is("function") || token.is("procedure")
}

struct Context<'a, 't> {
    before: Option<&'a Token<'t>>,
    before_that: Option<&'a Token<'t>>,
    next: Option<&'a Token<'t>>,
}

/// A list of schemas in which names stand alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    /// Behind SCHEMA: words such as IF EXISTS may follow.
    Schemas,
    /// Behind `search_path`: `=` or TO follows.
    Path,
    /// A name of the list has just been.
    Named(bool),
}

impl List {
    fn after(list: Option<Self>, token: &Token<'_>, before: Option<&Token<'_>>) -> Option<Self> {
        if token.is("search_path") {
            return Some(Self::Path);
        }
        let is_schema = token.is("schema") && before.is_none_or(|before| before.text != ".");
        if is_schema {
            return Some(Self::Schemas);
        }
        let is_between = ["if", "not", "exists", "="].iter().any(|word| token.is(word)) || token.text == "=";
        match list? {
            Self::Schemas if is_between => Some(Self::Schemas),
            Self::Path if token.text == "=" || token.is("to") => Some(Self::Path),
            Self::Named(true) if token.text == "," => Some(Self::Named(false)),
            Self::Schemas | Self::Path | Self::Named(false) => Some(Self::Named(true)),
            Self::Named(true) => None,
        }
    }
}

fn replaced(
    token: &Token<'_>,
    context: &Context<'_, '_>,
    list: Option<List>,
    has_code: bool,
    names: &Names,
) -> Option<String> {
    let is_text = |token: &Token<'_>| token.kind == TokenKind::Quoted && token.text.ends_with('\'');
    let is_name = token.kind == TokenKind::Word || token.kind == TokenKind::Quoted && token.text.starts_with('"');
    let is_listed = list == Some(List::Named(true));
    if is_name {
        let is_qualifier =
            context.next.is_some_and(|next| next.text == ".") && context.before.is_none_or(|before| before.text != ".");
        if !is_listed && !is_qualifier {
            return None;
        }
        return names.in_database(&Dialect::Postgres.name(token)).map(str::to_owned);
    }
    if is_text(token) {
        let inner = token.text.strip_prefix('\'')?.strip_suffix('\'')?;
        if is_listed || names_schema(context) {
            return names.in_database(inner).map(|name| format!("'{name}'"));
        }
        if let Some(text) = qualified_text(inner, names) {
            return Some(format!("'{text}'"));
        }
        // Code in a text, of EXECUTE or of a function in the old style.
        return is_code(inner).then(|| format!("'{}'", rewritten(inner, names)));
    }
    if token.kind == TokenKind::Quoted && token.text.starts_with('$') && has_code {
        let tag = token.text[1..].find('$')? + 2;
        let inner = &token.text[tag..token.text.len() - tag];
        return Some(format!("{}{}{}", &token.text[..tag], rewritten(inner, names), &token.text[..tag]));
    }
    None
}

/// Whether a text is compared with the name of a schema: `table_schema = 'public'`.
fn names_schema(context: &Context<'_, '_>) -> bool {
    let is_column = |token: &Token<'_>| {
        let name = token.name().to_lowercase();
        name.ends_with("_schema") || name == "schemaname" || name == "nspname"
    };
    context.before.is_some_and(|before| before.text == "=") && context.before_that.is_some_and(is_column)
}

/// `'public.orders_id_seq'`, as for nextval and regclass.
fn qualified_text(inner: &str, names: &Names) -> Option<String> {
    let (schema, rest) = inner.split_once('.')?;
    let plain = schema.trim_matches('"');
    let is_name = |letter: char| letter.is_alphanumeric() || "_\"$.(), ".contains(letter);
    if rest.is_empty() || !rest.chars().all(is_name) {
        return None;
    }
    names.in_database(plain).map(|name| format!("{name}.{rest}"))
}

fn is_code(text: &str) -> bool {
    let first = text.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
    let verbs = [
        "create", "alter", "drop", "insert", "update", "delete", "select", "truncate", "comment", "grant", "revoke",
        "begin", "declare", "with",
    ];
    verbs.contains(&first.as_str()) && text.split_whitespace().nth(1).is_some()
}

/// Whether a statement works on rows, and so may be too much on a scratch database.
pub(super) fn is_row_work(statement: &str) -> bool {
    let words = Dialect::Postgres.words(statement);
    let verbs = ["insert", "update", "delete", "merge", "select", "with", "do", "call", "copy", "refresh"];
    let is_as = words.iter().any(|word| word.is("as"));
    let makes_rows =
        is_as && words.first().is_some_and(|word| word.is("create")) && { words.iter().any(|word| word.is("table")) };
    verbs.iter().any(|verb| words.first().is_some_and(|word| word.is(verb))) || makes_rows
}

/// `search_path` as SQL.
pub(super) fn path(schemas: &[String]) -> String {
    schemas.iter().map(|schema| quoted(schema)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        let mut names = Names::none("public", "longshore");
        names.stand_in("s_0x", "public");
        names.stand_in("s_1x", "longshore");
        names.stand_in("s_2x", "Odd");
        names
    }

    #[test]
    fn names_of_schemas_are_replaced_wherever_they_mean_a_schema() {
        for (from, to) in [
            ("CREATE TABLE public.a (b text DEFAULT 'public')", "CREATE TABLE s_0x.a (b text DEFAULT 'public')"),
            ("SELECT nextval('longshore.job_id')", "SELECT nextval('s_1x.job_id')"),
            ("SELECT a.public.b, public FROM \"Odd\".c", "SELECT a.public.b, public FROM s_2x.c"),
            ("SET search_path TO public, other, 'longshore'", "SET search_path TO s_0x, other, 's_1x'"),
            ("GRANT USAGE ON SCHEMA public, x, longshore TO y", "GRANT USAGE ON SCHEMA s_0x, x, s_1x TO y"),
            ("DROP SCHEMA IF EXISTS public CASCADE", "DROP SCHEMA IF EXISTS s_0x CASCADE"),
            ("ALTER TABLE a SET SCHEMA longshore", "ALTER TABLE a SET SCHEMA s_1x"),
            ("DO $$ BEGIN EXECUTE 'DROP TABLE public.a'; END $$", "DO $$ BEGIN EXECUTE 'DROP TABLE s_0x.a'; END $$"),
            ("SELECT 1 WHERE table_schema = 'public'", "SELECT 1 WHERE table_schema = 's_0x'"),
            ("INSERT INTO a VALUES ($$public.x$$, 'public.', 'see public.a')", ""),
        ] {
            assert_eq!(rewritten(from, &names()), if to.is_empty() { from } else { to });
        }
    }

    #[test]
    fn what_reaches_past_the_schemas_is_left_out() {
        for text in ["VACUUM a", "CREATE DATABASE b", "ALTER SYSTEM SET x = 1", "DROP ROLE r", "SET ROLE r"] {
            assert_eq!(on_scratch(text, &names()), Form::Skip, "{text}");
        }
        assert_eq!(
            on_scratch("CREATE EXTENSION citext", &names()),
            Form::Run("CREATE EXTENSION IF NOT EXISTS citext".to_owned())
        );
        assert!(matches!(on_scratch("CREATE ROLE r", &names()), Form::RunUnlessThere(_)));
        assert_eq!(
            on_scratch("CREATE INDEX CONCURRENTLY i ON public.a (b)", &names()),
            Form::Run("CREATE INDEX  i ON s_0x.a (b)".to_owned())
        );
    }

    #[test]
    fn the_schema_of_what_a_statement_makes_is_read() {
        assert_eq!(target_schema("CREATE UNLOGGED TABLE IF NOT EXISTS billing.a (b int)").as_deref(), Some("billing"));
        assert_eq!(target_schema("CREATE INDEX i ON billing.a (b)").as_deref(), None);
        assert_eq!(target_schema("CREATE TABLE a (b int REFERENCES auth.users)"), None);
        assert_eq!(made_schema("CREATE SCHEMA IF NOT EXISTS \"Odd\"").as_deref(), Some("Odd"));
    }
}
