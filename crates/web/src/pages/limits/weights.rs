//! The weights of keys in one line, such as `acme=3, "a, b"=2`.

use std::collections::BTreeMap;

use crate::error::ApiError;
use crate::pages::drawing::text::cut;

/// Writes what [`parse`] reads.
pub(super) fn written(weights: &BTreeMap<String, u32>) -> String {
    let pairs: Vec<_> = weights.iter().map(|(key, weight)| format!("{}={weight}", quoted(key))).collect();
    pairs.join(", ")
}

/// A key with a comma, or one that would not come back as it is, in quotation marks as in JSON.
fn quoted(key: &str) -> String {
    let is_plain = !key.contains([',', '"']) && !key.contains(char::is_control) && key.trim() == key;
    if is_plain { key.to_owned() } else { serde_json::Value::from(key).to_string() }
}

/// Pairs of a key and a number, separated by commas.
pub(super) fn parse(text: &str) -> Result<BTreeMap<String, u32>, ApiError> {
    let mut weights = BTreeMap::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (key, weight, behind) = pair(rest).ok_or_else(|| {
            ApiError::invalid(format!("{:?} does not begin with a weight", cut(rest, 200).0))
                .hint("write keys and numbers, such as acme=3, other=2; a key with a comma in quotation marks")
        })?;
        weights.insert(key, weight);
        rest = behind.trim_start();
    }
    Ok(weights)
}

/// The first pair of a text, and what comes behind its comma.
fn pair(text: &str) -> Option<(String, u32, &str)> {
    let (key, text) = if text.starts_with('"') {
        let mut keys = serde_json::Deserializer::from_str(text).into_iter::<String>();
        let key = keys.next()?.ok()?;
        (Some(key), text[keys.byte_offset()..].trim_start().strip_prefix('=')?)
    } else {
        (None, text)
    };
    let (pair, behind) = text.split_once(',').unwrap_or((text, ""));
    let (key, weight) = match key {
        Some(key) => (key, pair),
        None => pair.rsplit_once('=').map(|(key, weight)| (key.trim().to_owned(), weight))?,
    };
    Some((key, weight.trim().parse().ok()?, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_pairs_of_a_key_and_a_number() {
        let expected = BTreeMap::from([("acme".to_owned(), 3), ("a=b".to_owned(), 2)]);
        assert_eq!(parse(" acme = 3, a=b=2,").unwrap(), expected);
        assert!(parse("").unwrap().is_empty());
        for wrong in ["acme", "acme=x", "acme=3,,", "\"acme=3", "\"acme\"", "\"a\"3", "acme=-1"] {
            assert!(parse(wrong).unwrap_err().message().contains("does not begin with a weight"), "{wrong}");
        }
    }

    #[test]
    fn every_key_comes_back_as_it_was_written() {
        let keys = ["acme", "a,b", "a=1, b", "\"", " a ", "a\nb", "=", "ü", "\\"];
        let weights: BTreeMap<String, u32> = keys.into_iter().zip(1..).map(|(key, n)| (key.to_owned(), n)).collect();
        assert_eq!(parse(&written(&weights)).unwrap(), weights);
        assert_eq!(written(&BTreeMap::from([("a,b".to_owned(), 2), ("c".to_owned(), 3)])), r#""a,b"=2, c=3"#);
    }
}
