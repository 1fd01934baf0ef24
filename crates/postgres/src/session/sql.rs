use std::borrow::Cow;

/// The schema that the SQL files name.
pub(crate) const SCHEMA: &str = "longshore";

/// A statement of `src/sql/`.
#[derive(Debug)]
pub(crate) struct Sql {
    /// Its folder and name.
    pub(crate) name: &'static str,
    text: &'static str,
}

impl Sql {
    pub(crate) const fn new(name: &'static str, text: &'static str) -> Self {
        Self { name, text }
    }

    pub(crate) fn text_in(&self, schema: &str) -> Cow<'static, str> {
        in_schema(self.text, schema)
    }
}

/// SQL that names our objects in `longshore`, for another schema.
pub(crate) fn in_schema<'a>(text: &'a str, schema: &str) -> Cow<'a, str> {
    if schema == SCHEMA {
        return Cow::Borrowed(text);
    }
    // Its name needs no quotes: see `PostgresUrl::in_schema`.
    Cow::Owned(text.replace("longshore.", &format!("{schema}.")))
}

/// The statement of a file in `src/sql/`: `sql!("claim/claim_jobs")`.
macro_rules! sql {
    ($name:literal) => {{
        const STATEMENT: &crate::session::sql::Sql = &crate::session::sql::Sql::new(
            $name,
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/sql/", $name, ".sql")),
        );
        STATEMENT
    }};
}
pub(crate) use sql;
