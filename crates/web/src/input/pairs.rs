use form_urlencoded::{byte_serialize, parse};
use percent_encoding::percent_decode;

/// The pairs of a query or of a form, in order. A name may come several times.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Pairs(Vec<(String, String)>);

impl Pairs {
    /// How many a query or a form of a page may have: a selection of jobs is one for each.
    pub(crate) const MAX: usize = 2000;

    /// Parses `application/x-www-form-urlencoded`. Fails with a sentence if there are too many, or if a value is no text
    /// that a database could hold.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, String> {
        let pairs: Vec<(String, String)> = parse(text).into_owned().take(Self::MAX + 1).collect();
        if pairs.len() > Self::MAX {
            return Err(format!("there are more than {} fields: send fewer", Self::MAX));
        }
        // Separators are ASCII, so all of it is UTF-8 if each value is.
        if percent_decode(text).decode_utf8().is_err() {
            return Err("a value is not UTF-8".to_owned());
        }
        if let Some((name, _)) = pairs.iter().find(|(_, value)| value.contains('\0')) {
            return Err(format!("the value of {name:?} contains a zero byte"));
        }
        Ok(Self(pairs))
    }

    pub(crate) fn into_inner(self) -> Vec<(String, String)> {
        self.0
    }

    /// The first value of a name that is not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let is_meant = |pair: &&(String, String)| pair.0 == name && !pair.1.is_empty();
        self.0.iter().find(is_meant).map(|(_, value)| value.as_str())
    }

    /// All values of a name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A query from pairs; those without a value are left out. Begins with a question mark unless it is empty.
pub(crate) fn query<'a>(pairs: impl IntoIterator<Item = (&'a str, Option<&'a str>)>) -> String {
    let mut query = String::new();
    for (name, value) in pairs {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            query.push(if query.is_empty() { '?' } else { '&' });
            query.push_str(name);
            query.push('=');
            query.push_str(&encode(value));
        }
    }
    query
}

/// A value in a query, a path or a cookie. A space is `%20`, because a plus is a plus in a path.
pub(crate) fn encode(value: &str) -> String {
    byte_serialize(value.as_bytes()).map(|part| if part == "+" { "%20" } else { part }).collect()
}

/// The text of an encoded value.
pub(crate) fn decode(value: &str) -> String {
    // It has neither of the characters between names and values, unless another program has written it.
    parse(value.as_bytes()).next().map(|(text, _)| text.into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_survives_a_query_a_path_and_a_cookie() {
        for text in ["a b+c", "50%", "ä😀", "a=b&c", "", "\n\"<>'", "%41", "a/b?c#d;e~*"] {
            let asked = query([("q", Some(text)), ("empty", None)]);
            let pairs = Pairs::parse(asked.trim_start_matches('?').as_bytes()).unwrap();
            assert_eq!(pairs.get("q").unwrap_or_default(), text, "{asked}");
            assert_eq!(decode(&encode(text)), text);
            assert!(
                encode(text).bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.*%".contains(&byte)),
                "{asked}"
            );
        }
    }

    #[test]
    fn a_broken_escape_is_text() {
        assert_eq!(decode("100%"), "100%");
        assert_eq!(decode("%zz%4"), "%zz%4");
        assert_eq!(decode("%ff"), "\u{fffd}");
    }

    #[test]
    fn what_no_database_could_hold_is_refused() {
        for text in ["q=%00", "q=a%00b&r=1", "q=%ff", "q=%c3&r=%a9", "%ff=1"] {
            assert!(Pairs::parse(text.as_bytes()).is_err(), "{text}");
        }
        assert_eq!(Pairs::parse(b"q=%c3%a9%ef%bf%bd+%25").unwrap().get("q"), Some("\u{e9}\u{fffd} %"));
    }

    #[test]
    fn a_form_has_a_bounded_number_of_fields() {
        let many = "id=1&".repeat(Pairs::MAX);
        assert_eq!(Pairs::parse(many.as_bytes()).unwrap().all("id").count(), Pairs::MAX);
        assert!(Pairs::parse(format!("{many}id=1").as_bytes()).is_err());
    }
}
