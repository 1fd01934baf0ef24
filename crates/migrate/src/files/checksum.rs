//! What a migration's text was when it ran, so that a later change is seen.

use std::fmt;

use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::files::script;
use crate::files::script::{Dialect, tokens_in};

const TEXT: &str = "sha256-lf";
const MEANING: &str = "sha256-words";

/// Two digests of one script: of the LF-normalised text, and of its words alone.
///
/// Written as `sha256-lf:HEX sha256-words:HEX`, so that another algorithm can follow under another name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checksum(String);

/// How a script stands to the checksum that was recorded when it ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The same text.
    None,
    /// White space, line ends or comments differ; the words are the same.
    Cosmetic,
    /// The words differ.
    Meaning,
    /// The recorded checksum has an algorithm that this version does not know.
    Unknown,
}

impl Checksum {
    /// The checksum of the text of a script in SQLite's words.
    pub fn of(text: &str) -> Self {
        Self::of_in(Dialect::Sqlite, text)
    }

    /// The checksum of a script's text.
    pub fn of_in(dialect: Dialect, text: &str) -> Self {
        let text = script::with_lf(text);
        let mut words = Sha256::new();
        for token in tokens_in(dialect, &text).into_iter().filter(script::Token::has_meaning) {
            words.update(token.text.as_bytes());
            words.update([0]);
        }
        Self(format!("{TEXT}:{} {MEANING}:{}", hex(&Sha256::digest(text.as_bytes())), hex(&words.finalize())))
    }

    /// A checksum as the ledger keeps it; compared, never trusted to be well formed.
    pub fn recorded(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text that the ledger keeps.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How `self`, the script of today, stands to what was recorded.
    pub fn change_since(&self, recorded: &Self) -> Change {
        if self == recorded || self.part(TEXT).is_some_and(|now| recorded.part(TEXT) == Some(now)) {
            return Change::None;
        }
        match (self.part(MEANING), recorded.part(MEANING)) {
            (Some(now), Some(then)) if now == then => Change::Cosmetic,
            (Some(_), Some(_)) => Change::Meaning,
            _ if recorded.part(TEXT).is_some() => Change::Meaning,
            _ => Change::Unknown,
        }
    }

    fn part(&self, algorithm: &str) -> Option<&str> {
        self.0.split(' ').find_map(|part| part.strip_prefix(algorithm)?.strip_prefix(':'))
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Checksum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// The SHA-256 of `bytes` in lower-case hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crlf_checkout_is_the_same_text() {
        assert_eq!(Checksum::of("a\r\nb\r\n"), Checksum::of("a\nb\n"));
    }

    #[test]
    fn a_change_of_comments_is_told_apart_from_a_change_of_words() {
        let ran = Checksum::of("CREATE TABLE a (b);");
        assert_eq!(Checksum::of("-- why\nCREATE TABLE a\n(b);").change_since(&ran), Change::Cosmetic);
        assert_eq!(Checksum::of("CREATE TABLE a (c);").change_since(&ran), Change::Meaning);
        assert_eq!(Checksum::of("CREATE TABLE a (b);").change_since(&Checksum::recorded("md5:00")), Change::Unknown);
    }

    #[test]
    fn a_changed_text_in_quotes_is_a_change_of_meaning() {
        let ran = Checksum::of("INSERT INTO a VALUES ('x y')");
        assert_eq!(Checksum::of("INSERT INTO a VALUES ('x  y')").change_since(&ran), Change::Meaning);
    }
}
