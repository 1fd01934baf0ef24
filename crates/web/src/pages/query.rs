use std::fmt::Write;

/// How many pairs a query or a form may have, and how long a value may be that is not a payload.
const PAIRS_MAX: usize = 2000;

/// The pairs of a query or of a form, in order. A name may come several times.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Pairs(Vec<(String, String)>);

impl Pairs {
    /// Parses `application/x-www-form-urlencoded`. Fails with a sentence if there are too many.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        let mut pairs = Vec::new();
        for pair in text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            if pairs.len() >= PAIRS_MAX {
                return Err(format!("there are more than {PAIRS_MAX} fields: send fewer"));
            }
            let (name, value) = match pair.iter().position(|byte| *byte == b'=') {
                Some(place) => (&pair[..place], &pair[place + 1..]),
                None => (pair, &[][..]),
            };
            pairs.push((decode(name), decode(value)));
        }
        Ok(Self(pairs))
    }

    /// The first value of a name that is not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let is_meant = |pair: &&(String, String)| pair.0 == name && !pair.1.is_empty();
        self.0.iter().find(is_meant).map(|(_, value)| value.as_str())
    }

    /// All values of a name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A query from pairs; those without a value are left out. Begins with a question mark unless it is empty.
pub(super) fn query<'a>(pairs: impl IntoIterator<Item = (&'a str, Option<&'a str>)>) -> String {
    let mut query = String::new();
    for (name, value) in pairs {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            let sign = if query.is_empty() { '?' } else { '&' };
            write!(query, "{sign}{name}={}", encode(value)).expect("a string takes all text");
        }
    }
    query
}

/// A value in a query, a path or a cookie.
pub(super) fn encode(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("a string takes all text");
        }
    }
    encoded
}

/// The text of an encoded value. What is not UTF-8 is replaced.
pub(super) fn decode(value: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let escaped = (*first == b'%').then(|| hex(after)).flatten();
        match (first, escaped) {
            (_, Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            (b'+', None) => bytes.push(b' '),
            (byte, None) => bytes.push(*byte),
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn hex(digits: &[u8]) -> Option<u8> {
    let digit = |place: usize| digits.get(place).and_then(|digit| char::from(*digit).to_digit(16));
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_survives_a_query() {
        for text in ["a b+c", "50%", "ä😀", "a=b&c", "", "\0\n\"<>'", "%41"] {
            let asked = query([("q", Some(text)), ("empty", None)]);
            let pairs = Pairs::parse(asked.trim_start_matches('?').as_bytes()).unwrap();
            assert_eq!(pairs.get("q").unwrap_or_default(), text, "{asked}");
            assert!(asked.is_ascii());
        }
    }

    #[test]
    fn a_broken_escape_is_text() {
        assert_eq!(decode(b"100%"), "100%");
        assert_eq!(decode(b"%zz%4"), "%zz%4");
        assert_eq!(decode(b"%ff"), "\u{fffd}");
    }

    #[test]
    fn a_form_has_a_bounded_number_of_fields() {
        let many = "id=1&".repeat(PAIRS_MAX);
        assert_eq!(Pairs::parse(many.as_bytes()).unwrap().all("id").count(), PAIRS_MAX);
        assert!(Pairs::parse(format!("{many}id=1").as_bytes()).is_err());
    }
}
