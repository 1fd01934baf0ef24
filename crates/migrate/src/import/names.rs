//! File names: the number, the version and the name in them.

/// The digits at the beginning and what follows them, without what stands between.
pub(super) fn leading_number(stem: &str) -> (Option<&str>, &str) {
    let digits = stem.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(stem.len());
    let name = stem[digits..].trim_start_matches(|letter: char| !letter.is_alphanumeric());
    ((digits > 0).then(|| &stem[..digits]), name)
}

/// diesel's: everything before the first underscore without its dashes is the version.
pub(super) fn diesel_version(directory: &str) -> (Option<String>, &str) {
    let (version, name) = directory.split_once('_').unwrap_or((directory, ""));
    let version = version.replace('-', "");
    let is_number = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
    (is_number.then_some(version), name)
}

/// The parts of `V1_2__name` behind its letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Versioned {
    pub(super) letter: char,
    /// As written.
    pub(super) version: String,
    pub(super) name: String,
}

impl Versioned {
    /// Reads a file's stem; the version has dots or single underscores between its numbers.
    pub(super) fn parse(stem: &str) -> Option<Self> {
        let mut letters = stem.chars();
        let letter = letters.next().filter(|letter| ['V', 'U', 'B'].contains(letter))?;
        let (version, name) = letters.as_str().split_once("__")?;
        let parts = || version.split(['.', '_']);
        let is_version = parts().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
        is_version.then(|| Self { letter, version: version.to_owned(), name: name.to_owned() })
    }

    /// Its numbers without zeros at the end, by which versions are compared; `None` where one does not fit.
    pub(super) fn key(&self) -> Option<Vec<u128>> {
        let parts = self.version.split(['.', '_']).map(|part| part.parse().ok());
        let mut parts: Vec<u128> = parts.collect::<Option<_>>()?;
        while parts.len() > 1 && parts.last() == Some(&0) {
            parts.pop();
        }
        Some(parts)
    }

    /// The number, where the version is only one.
    pub(super) fn digits(&self) -> Option<&str> {
        self.version.bytes().all(|byte| byte.is_ascii_digit()).then_some(self.version.as_str())
    }
}

/// A name that our file names can have.
pub(super) fn fitting(name: &str) -> String {
    let mut found = String::new();
    for letter in name.trim().chars() {
        if letter.is_alphanumeric() || "-._".contains(letter) {
            found.push(letter);
        } else if !found.ends_with('_') {
            found.push('_');
        }
    }
    let found = found.trim_matches(['_', '.']);
    if found.is_empty() { "migration".to_owned() } else { found.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_versions_and_names_are_told_apart() {
        assert_eq!(leading_number("0001_create users"), (Some("0001"), "create users"));
        assert_eq!(leading_number("1"), (Some("1"), ""));
        assert_eq!(leading_number("init"), (None, "init"));
        assert_eq!(diesel_version("2025-06-28-113515_jobs"), (Some("20250628113515".to_owned()), "jobs"));
        assert_eq!(diesel_version("first_jobs").0, None);
    }

    #[test]
    fn versions_are_compared_part_by_part() {
        let key = |stem: &str| Versioned::parse(stem).unwrap().key().unwrap();
        assert!(key("V1.2__a") < key("V1.10__a"));
        assert_eq!(key("V1_0__a"), key("V1__b"));
        assert_eq!(Versioned::parse("V1.2__a b").unwrap().name, "a b");
        assert_eq!(Versioned::parse("V1.2__a").unwrap().digits(), None);
        for stem in ["V__a", "Va__b", "R__a", "V1_a", "v1__a", "V1.__a"] {
            assert_eq!(Versioned::parse(stem), None, "{stem}");
        }
    }

    #[test]
    fn a_name_fits_our_file_names() {
        assert_eq!(fitting("add users"), "add_users");
        assert_eq!(fitting("it's (new)"), "it_s_new");
        assert_eq!(fitting("..."), "migration");
        assert_eq!(fitting("größe"), "größe");
    }
}
