//! Entries that are beside migrations and never are one.

use serde::Serialize;

/// An entry of a directory that is skipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// Its name.
    pub name: String,
    /// What it is.
    pub reason: &'static str,
}

/// The stated list: a name in lower case, and what it is. `docs/migrations.md` has the same list.
const NAMES: [(&str, &str); 44] = [
    ("readme", "documentation"),
    ("readme.txt", "documentation"),
    ("readme.rst", "documentation"),
    ("license", "documentation"),
    ("license.txt", "documentation"),
    ("changelog", "documentation"),
    ("makefile", "a build file"),
    ("justfile", "a build file"),
    ("build.bazel", "a build file"),
    ("cargo.toml", "a build file"),
    ("build.rs", "a build file"),
    ("go.mod", "a build file"),
    ("go.sum", "a build file"),
    ("package.json", "a build file"),
    ("tsconfig.json", "a build file"),
    ("embed.go", "code that embeds the directory"),
    ("doc.go", "code that embeds the directory"),
    ("fs.go", "code that embeds the directory"),
    ("migrations.go", "code that embeds the directory"),
    ("mod.rs", "code that embeds the directory"),
    ("lib.rs", "code that embeds the directory"),
    ("migrations.rs", "code that embeds the directory"),
    ("index.ts", "code that embeds the directory"),
    ("index.js", "code that embeds the directory"),
    ("index.mjs", "code that embeds the directory"),
    ("index.cjs", "code that embeds the directory"),
    ("migrations.ts", "code that embeds the directory"),
    ("migrations.js", "code that embeds the directory"),
    ("__init__.py", "code that embeds the directory"),
    ("__pycache__", "a cache"),
    ("node_modules", "a cache"),
    ("schema.sql", "a dump of the schema"),
    ("structure.sql", "a dump of the schema"),
    ("schema.rs", "a dump of the schema"),
    ("schema.prisma", "a dump of the schema"),
    ("atlas.sum", "another tool's own file"),
    ("atlas.hcl", "another tool's own file"),
    ("meta", "another tool's own file"),
    ("migration_lock.toml", "another tool's own file"),
    ("diesel.toml", "another tool's own file"),
    ("flyway.conf", "another tool's own file"),
    ("flyway.toml", "another tool's own file"),
    ("yoyo.ini", "another tool's own file"),
    ("sqlc.yaml", "another tool's own file"),
];

/// Why an entry of that name is skipped, if it is.
pub(crate) fn why_skipped(name: &str) -> Option<&'static str> {
    let lower = name.to_lowercase();
    if lower.starts_with('.') {
        return Some("a hidden file");
    }
    if lower.ends_with('~') || lower.starts_with('#') && lower.ends_with('#') {
        return Some("an editor's copy");
    }
    if lower.ends_with(".md") {
        return Some("documentation");
    }
    if lower.ends_with("_test.go") {
        return Some("a test");
    }
    NAMES.iter().find(|(known, _)| *known == lower).map(|(_, reason)| *reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_beside_migrations_has_a_reason_and_what_may_be_one_has_none() {
        for name in
            [".#x", ".gitkeep", "a.sql~", "#a.sql#", "README.md", "embed.go", "mod.rs", "index.ts", "atlas.sum", "meta"]
        {
            assert!(why_skipped(name).is_some(), "{name}");
        }
        for name in ["001_a.up.sql", "1_a.go", "m20220101_a.rs", "a.py", "notes.txt", "create.sql", "meta.sql"] {
            assert_eq!(why_skipped(name), None, "{name}");
        }
    }

    #[test]
    fn the_documentation_has_the_same_list() {
        let page = include_str!("../../../../docs/migrations.md");
        for (name, _) in NAMES {
            assert!(page.to_lowercase().contains(&format!("`{name}`")), "{name}");
        }
    }
}
