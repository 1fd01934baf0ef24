use serde::{Deserialize, Deserializer, de};

/// A number of bytes in a configuration file, with its unit: `"512MiB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ByteSize(pub(super) u64);

/// The units that are accepted. A megabyte of 1000² bytes is not told apart by everybody, so it is spelled out.
const UNITS: [(&str, u64); 7] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("kB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("B", 1),
];

fn parse(text: &str) -> Option<u64> {
    let (number, factor) =
        UNITS.iter().find_map(|(unit, factor)| text.strip_suffix(unit).map(|number| (number.trim_end(), *factor)))?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let bytes = if is_number { number.parse::<u64>().ok()?.checked_mul(factor)? } else { return None };
    (bytes > 0).then_some(bytes)
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let expected = "expected a number with a unit, such as \"512MiB\" or \"2GiB\"";
        parse(&text).map(Self).ok_or_else(|| de::Error::custom(format!("\"{text}\" is not a size: {expected}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_a_number_and_a_unit() {
        let table = [
            ("512MiB", Some(512 << 20)),
            ("2 GiB", Some(2 << 30)),
            ("1KiB", Some(1024)),
            ("3MB", Some(3_000_000)),
            ("7B", Some(7)),
            ("0MiB", None),
            ("MiB", None),
            ("-1MiB", None),
            ("1.5GiB", None),
            ("512", None),
            ("512M", None),
            ("99999999999GiB", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(parse(text), expected, "{text:?}");
        }
    }
}
