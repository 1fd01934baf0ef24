//! Quoting of names in hints. A hint must work when it is pasted into a shell.

/// The name as one shell word.
pub(crate) fn shell_word(name: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "_-./:@%+=,".contains(letter);
    if !name.is_empty() && name.chars().all(is_plain) {
        return name.to_owned();
    }
    format!("'{}'", name.replace('\'', r"'\''"))
}

/// The name in a flag that takes a list of names.
pub(crate) fn flag_with_name(flag: &str, name: &str) -> String {
    let listed = name.replace('\\', r"\\").replace(',', r"\,");
    // After a space, a name with a leading hyphen would be read as a flag.
    let between = if name.starts_with('-') { '=' } else { ' ' };
    format!("{flag}{between}{}", shell_word(&listed))
}

/// The name as a positional argument.
pub(crate) fn argument(name: &str) -> String {
    let before = if name.starts_with('-') { "-- " } else { "" };
    format!("{before}{}", shell_word(name))
}

/// The name as a key of a TOML file.
pub(crate) fn toml_key(name: &str) -> String {
    let is_bare = |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter);
    if !name.is_empty() && name.chars().all(is_bare) {
        return name.to_owned();
    }
    toml::Value::from(name).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_word_of_a_shell() {
        for (name, word) in
            [("mail", "mail"), ("a:b", "a:b"), ("a b", "'a b'"), ("it's", r"'it'\''s'"), ("$(rm)", "'$(rm)'")]
        {
            assert_eq!(shell_word(name), word);
        }
        assert_eq!(flag_with_name("--type", "a,b"), r"--type 'a\,b'");
        assert_eq!(flag_with_name("--type", "-x"), "--type=-x");
        assert_eq!((argument("-x"), argument("x")), ("-- -x".to_owned(), "x".to_owned()));
    }

    #[test]
    fn a_name_is_the_same_key_when_it_is_read_again() {
        for name in ["mail", "a.b", "a b", "a\"b", "a=b", "ä", r"a\b", "a]b"] {
            let table: toml::Table = format!("[jobs.{}]\nrun = 1\n", toml_key(name)).parse().unwrap();
            assert!(table["jobs"].get(name).is_some(), "{name}");
        }
    }
}
