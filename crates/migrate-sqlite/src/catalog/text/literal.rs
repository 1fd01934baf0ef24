//! Literals in one form each: a number by its value, a string exactly as it is.

/// A number in its usual form: `16` for `0x10`, `0.5` for `.5`, `1000.0` for `1e3`.
///
/// The sort of number stays: `5` and `5.0` are not the same to a column without affinity.
pub(in crate::catalog) fn number(written: &str) -> String {
    let plain = written.replace('_', "").to_ascii_lowercase();
    if let Some(digits) = plain.strip_prefix("0x") {
        // SQLite takes the 64 bits of a hexadecimal literal as two's complement.
        return u64::from_str_radix(digits, 16).map_or(plain, |bits| bits.cast_signed().to_string());
    }
    if plain.bytes().all(|byte| byte.is_ascii_digit()) {
        let digits = plain.trim_start_matches('0');
        return if digits.is_empty() { "0".to_owned() } else { digits.to_owned() };
    }
    match plain.parse::<f64>() {
        Ok(value) if value.is_finite() => format!("{value:?}"),
        _ => plain,
    }
}

/// A string or blob literal, closed if it was not.
pub(in crate::catalog) fn closed(written: &str) -> String {
    let is_closed = written.bytes().filter(|byte| *byte == b'\'').count() % 2 == 0;
    if is_closed { written.to_owned() } else { format!("{written}'") }
}

/// A string literal of this content.
pub(in crate::catalog) fn text(content: &str) -> String {
    format!("'{}'", content.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_one_number_are_one() {
        for (written, usual) in [
            ("0x10", "16"),
            ("007", "7"),
            ("000", "0"),
            ("1_000", "1000"),
            (".5", "0.5"),
            ("5.", "5.0"),
            ("1e3", "1000.0"),
            ("1E+3", "1000.0"),
            ("0xFFFFFFFFFFFFFFFF", "-1"),
            ("9223372036854775808", "9223372036854775808"),
            ("12abc", "12abc"),
        ] {
            assert_eq!(number(written), usual, "{written}");
        }
    }
}
