//! Reads `NUMBER_name.up.sql` and `NUMBER_name.down.sql`.

use crate::files::migration::Direction;

/// The parts of a migration's file name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileName {
    pub(super) number: i64,
    pub(super) name: String,
    pub(super) direction: Direction,
}

impl FileName {
    /// None for every name that is not exactly of this form.
    pub(super) fn parse(file: &str) -> Option<Self> {
        let (stem, direction) = match file.strip_suffix(".up.sql") {
            Some(stem) => (stem, Direction::Up),
            None => (file.strip_suffix(".down.sql")?, Direction::Down),
        };
        let (number, name) = numbered(stem)?;
        Some(Self { number, name: name.to_owned(), direction })
    }
}

/// `NUMBER_name` with a number that fits and a name of letters, digits, `_`, `-` and `.`.
pub(super) fn numbered(stem: &str) -> Option<(i64, &str)> {
    let (number, name) = stem.split_once('_')?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let is_name = !name.is_empty() && name.chars().all(|letter| letter.is_alphanumeric() || "_-.".contains(letter));
    if !is_number || !is_name {
        return None;
    }
    Some((number.parse().ok()?, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequential_and_timestamp_numbers_are_read() {
        let name = FileName::parse("001_create_job_queue.up.sql").unwrap();
        assert_eq!((name.number, name.name.as_str(), name.direction), (1, "create_job_queue", Direction::Up));
        assert_eq!(FileName::parse("20250628113515_a.down.sql").unwrap().number, 20_250_628_113_515);
    }

    #[test]
    fn other_names_are_not() {
        for name in [
            "1.up.sql",
            "_a.up.sql",
            "a_1.up.sql",
            "1_a.sql",
            "1-a.up.sql",
            "99999999999999999999_a.up.sql",
            "+1_a.up.sql",
        ] {
            assert_eq!(FileName::parse(name), None, "{name}");
        }
    }
}
