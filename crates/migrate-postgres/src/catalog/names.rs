use longshore_migrate::ledger::{OWN_TABLE, TABLE};

/// Which schemas are read, and what they are called in the meaning: a scratch schema stands for a real one.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    /// The real name of the schema in which names without a schema are made.
    current: String,
    /// The real name of the queue's schema.
    queue: String,
    /// Every schema: what it is called in this database, and its real name.
    pairs: Vec<(String, String)>,
}

impl Names {
    pub(crate) fn new(current: &str, queue: &str) -> Self {
        let pairs = [current, queue].map(|name| (name.to_owned(), name.to_owned()));
        let mut pairs = Vec::from(pairs);
        pairs.dedup();
        Self { current: current.to_owned(), queue: queue.to_owned(), pairs }
    }

    /// The same without any schema, to be filled with [`Names::stand_in`].
    pub(crate) fn none(current: &str, queue: &str) -> Self {
        Self { pairs: Vec::new(), ..Self::new(current, queue) }
    }

    /// Adds a real schema.
    pub(crate) fn add(&mut self, real: &str) {
        self.stand_in(real, real);
    }

    /// Adds a schema of this database that stands for a real one.
    pub(crate) fn stand_in(&mut self, stand_in: &str, real: &str) {
        if self.in_database(real).is_none() {
            self.pairs.push((stand_in.to_owned(), real.to_owned()));
        }
    }

    /// Forgets a schema that is gone.
    pub(crate) fn remove(&mut self, real: &str) {
        self.pairs.retain(|(_, name)| name != real);
    }

    pub(crate) fn current(&self) -> &str {
        &self.current
    }

    pub(crate) fn queue(&self) -> &str {
        &self.queue
    }

    /// What a real schema is called in this database.
    pub(crate) fn in_database(&self, real: &str) -> Option<&str> {
        self.pairs.iter().find(|(_, name)| name == real).map(|(stand_in, _)| stand_in.as_str())
    }

    /// The schemas as this database calls them.
    pub(crate) fn schemas(&self) -> Vec<String> {
        self.pairs.iter().map(|(stand_in, _)| stand_in.clone()).collect()
    }

    /// The real name of a schema of this database.
    pub(crate) fn real<'a>(&'a self, schema: &'a str) -> &'a str {
        self.pairs.iter().find(|(stand_in, _)| stand_in == schema).map_or(schema, |(_, real)| real.as_str())
    }

    /// A text with the real names of schemas.
    pub(crate) fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (stand_in, real) in self.pairs.iter().filter(|(stand_in, real)| stand_in != real) {
            if text.contains(stand_in.as_str()) {
                text = text.replace(stand_in.as_str(), &quoted(real));
            }
        }
        text
    }

    /// How an object of a schema of this database is named: with its schema unless that is the current one.
    pub(crate) fn object(&self, schema: &str, name: &str) -> String {
        let real = self.real(schema);
        if real == self.current { name.to_owned() } else { format!("{real}.{name}") }
    }

    /// The schema as SQL with its dot, nothing for the current one, and the rest of what [`Names::object`] gives.
    pub(crate) fn split<'o>(&self, object: &'o str) -> (String, &'o str) {
        let others = self.pairs.iter().map(|(_, real)| real).filter(|real| **real != self.current);
        let found = others.filter_map(|real| {
            let rest = object.strip_prefix(real.as_str())?.strip_prefix('.')?;
            Some((format!("{}.", quoted(real)), rest))
        });
        found.min_by_key(|(_, rest)| rest.len()).unwrap_or((String::new(), object))
    }

    /// The same as SQL.
    pub(crate) fn sql(&self, schema: &str, name: &str) -> String {
        let real = self.real(schema);
        if real == self.current { quoted(name) } else { format!("{}.{}", quoted(real), quoted(name)) }
    }

    /// Whether an object of that name is a part of a ledger.
    pub(crate) fn is_ledger(&self, schema: &str, name: &str) -> bool {
        let real = self.real(schema);
        let is_shared = name == TABLE || name.strip_prefix(TABLE).is_some_and(|rest| rest == "_id_seq");
        real == self.current && is_shared || real == self.queue && name.starts_with(OWN_TABLE)
    }
}

/// A name as SQL, in quotes where it needs them.
pub(crate) fn quoted(name: &str) -> String {
    let is_plain = name.starts_with(|letter: char| letter.is_ascii_lowercase() || letter == '_')
        && name.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_');
    if is_plain && !RESERVED.contains(&name) {
        return name.to_owned();
    }
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Words that are no name without quotes.
const RESERVED: [&str; 77] = [
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "both",
    "case",
    "cast",
    "check",
    "collate",
    "column",
    "constraint",
    "create",
    "current_catalog",
    "current_date",
    "current_role",
    "current_time",
    "current_timestamp",
    "current_user",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "false",
    "fetch",
    "for",
    "foreign",
    "from",
    "grant",
    "group",
    "having",
    "in",
    "initially",
    "intersect",
    "into",
    "lateral",
    "leading",
    "limit",
    "localtime",
    "localtimestamp",
    "not",
    "null",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "placing",
    "primary",
    "references",
    "returning",
    "select",
    "session_user",
    "some",
    "symmetric",
    "table",
    "then",
    "to",
    "trailing",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "variadic",
    "when",
    "where",
    "window",
    "with",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stand_in_is_read_as_the_schema_that_it_stands_for() {
        let mut names = Names::none("app", "longshore");
        names.stand_in("scratch_0x", "app");
        names.stand_in("scratch_1x", "Odd One");
        assert_eq!(names.text("scratch_0x.mood = scratch_1x.mood"), "app.mood = \"Odd One\".mood");
        assert_eq!(names.object("scratch_0x", "User"), "User");
        assert_eq!(names.object("scratch_1x", "t"), "Odd One.t");
        assert_eq!(names.sql("scratch_1x", "User"), "\"Odd One\".\"User\"");
    }

    #[test]
    fn the_ledgers_are_known_in_their_schemas_alone() {
        let names = Names::new("public", "longshore");
        assert!(names.is_ledger("public", "schema_migrations"));
        assert!(names.is_ledger("longshore", "longshore_migrations_history"));
        assert!(!names.is_ledger("longshore", "schema_migrations") && !names.is_ledger("public", "jobs"));
    }
}
