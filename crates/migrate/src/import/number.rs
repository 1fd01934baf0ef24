//! Gives the imported migrations their numbers.

use super::{foreign::Foreign, format::Format};

/// The numbers as they are written in the file names, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Numbers {
    pub(super) digits: Vec<String>,
    /// Why they are not those of the other tool.
    pub(super) why_new: Option<&'static str>,
}

/// Keeps the numbers where they say the order that the other tool has; else counts from one. The error names two
/// migrations that cannot stand side by side.
pub(super) fn number(format: Format, migrations: &[Foreign]) -> Result<Numbers, (String, String)> {
    let parsed: Vec<Option<i64>> = migrations.iter().map(|migration| migration.digits.as_ref()?.parse().ok()).collect();
    let pairs = || parsed.windows(2).zip(migrations.windows(2));
    if !is_named_by_file(format) {
        let same = |(numbers, _): &(&[Option<i64>], &[Foreign])| numbers[0].is_some() && numbers[0] == numbers[1];
        if let Some((_, pair)) = pairs().find(same) {
            return Err((pair[0].origin.clone(), pair[1].origin.clone()));
        }
    }
    let why_new = if parsed.iter().any(Option::is_none) {
        Some("not every one of them has one number that fits")
    } else if pairs().any(|(numbers, _)| numbers[0] >= numbers[1]) {
        Some("their own do not say the order in which they run")
    } else {
        None
    };
    let digits = match why_new {
        None => migrations.iter().filter_map(|migration| migration.digits.clone()).collect(),
        Some(_) => {
            let width = migrations.len().to_string().len().max(3);
            (1..=migrations.len()).map(|number| format!("{number:0width$}")).collect()
        }
    };
    Ok(Numbers { digits, why_new })
}

/// Whether the whole name, not the number, tells one migration from another, so that a number may come twice.
fn is_named_by_file(format: Format) -> bool {
    matches!(format, Format::SqlMigrate | Format::Yoyo | Format::Drizzle | Format::Prisma | Format::Wrangler)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::{adapt::Half, foreign::Place};

    fn migrations(digits: &[Option<&str>]) -> Vec<Foreign> {
        let migration = |digits: &Option<&str>| Foreign {
            origin: format!("{digits:?}"),
            place: Place::by_name(""),
            digits: digits.map(str::to_owned),
            name: String::new(),
            up: Half { text: String::new(), is_bare: false },
            down: None,
            depends: Vec::new(),
        };
        digits.iter().map(migration).collect()
    }

    #[test]
    fn numbers_that_say_the_order_are_kept_as_they_are_written() {
        let kept = number(Format::Goose, &migrations(&[Some("00001"), Some("00002"), Some("20250628113515")])).unwrap();
        assert_eq!((kept.digits.join(" ").as_str(), kept.why_new), ("00001 00002 20250628113515", None));
    }

    #[test]
    fn others_are_counted_in_their_order() {
        let by_name = number(Format::Prisma, &migrations(&[Some("10"), Some("9")])).unwrap();
        assert_eq!(by_name.digits, ["001", "002"]);
        let too_big = number(Format::Diesel, &migrations(&[Some("1"), Some("99999999999999999999")])).unwrap();
        assert!(too_big.why_new.is_some());
        assert_eq!(number(Format::Flyway, &migrations(&[None, Some("2")])).unwrap().digits, ["001", "002"]);
    }

    #[test]
    fn one_number_twice_is_refused_where_the_tool_refuses_it() {
        assert!(number(Format::Goose, &migrations(&[Some("1"), Some("01")])).is_err());
        assert_eq!(number(Format::Wrangler, &migrations(&[Some("1"), Some("01")])).unwrap().digits, ["001", "002"]);
    }
}
