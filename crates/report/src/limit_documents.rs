use std::fmt;
use std::str::FromStr;

use longshore_core::{LimitPage, LimitPosition, LimitRow, LimitScope, LimitSubject};
use serde::Serialize;

/// Limits and what they hold now.
#[derive(Debug, Serialize)]
pub struct LimitList {
    /// The limits: queues, then types, then keys.
    pub limits: Vec<LimitRow>,
}

/// A page of limits.
#[derive(Debug, Serialize)]
pub struct LimitListPage {
    /// The limits.
    #[serde(flatten)]
    pub list: LimitList,
    /// The cursor of the next page. A string, because clients must only pass it back.
    pub next: Option<String>,
}

impl LimitListPage {
    /// The document of a page.
    pub fn new(page: LimitPage) -> Self {
        let next = page.next.map(|position| LimitCursor(position).to_string());
        Self { list: LimitList { limits: page.limits }, next }
    }
}

/// Where a page of limits ends, as text: a JSON list of scope, name and key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitCursor(pub LimitPosition);

/// The text is not the cursor of a page of limits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not the \"next\" of a page of limits")]
pub struct InvalidLimitCursor(pub String);

impl fmt::Display for LimitCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LimitPosition { scope, name, key } = &self.0;
        f.write_str(&serde_json::to_string(&(scope, name, key)).expect("texts can be written as JSON"))
    }
}

impl FromStr for LimitCursor {
    type Err = InvalidLimitCursor;

    fn from_str(text: &str) -> Result<Self, InvalidLimitCursor> {
        let parsed: Result<(LimitScope, String, Option<String>), _> = serde_json::from_str(text);
        match parsed {
            // PostgreSQL has no text with a zero byte.
            Ok((scope, name, key)) if !name.contains('\0') && !key.as_deref().unwrap_or_default().contains('\0') => {
                Ok(Self(LimitPosition { scope, name, key }))
            }
            _ => Err(InvalidLimitCursor(text.chars().take(50).collect())),
        }
    }
}

/// The result of a change of a limit by hand.
#[derive(Debug, Serialize)]
pub struct ChangedLimit<'a> {
    scope: LimitScope,
    name: &'a str,
    changed: bool,
    /// What holds now; none if nothing is limited any more.
    limits: Vec<LimitRow>,
}

impl<'a> ChangedLimit<'a> {
    /// The document of a change, with the limits of the subject after it. Keys are left out.
    pub fn new(subject: &'a LimitSubject, changed: bool, mut limits: Vec<LimitRow>) -> Self {
        limits.retain(|row| row.scope != LimitScope::Key);
        Self { scope: subject.scope(), name: subject.name(), changed, limits }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_whatever_a_name_holds() {
        for (name, key) in [("sync", None), ("a/b,\"c\"", Some("ü\n😀")), ("", Some(""))] {
            let position = LimitPosition { scope: LimitScope::Key, name: name.to_owned(), key: key.map(str::to_owned) };
            let cursor = LimitCursor(position);
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        for text in ["", "7", "[\"key\"]", "[\"lane\",\"a\",null]", "[\"key\",\"a\\u0000\",null]"] {
            assert!(text.parse::<LimitCursor>().is_err(), "{text}");
        }
    }
}
