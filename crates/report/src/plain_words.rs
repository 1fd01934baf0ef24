/// What a parser said of a value, in the words of those who write the value. `object` is what the format calls a group of
/// named values: an object in JSON, a table in TOML.
pub fn in_plain_words(message: &str, object: &str) -> String {
    let plain = message.replace('`', "\"").replace("unknown variant", "unknown word");
    let Some((found, expected)) = plain.split_once("expected ") else {
        return match plain.as_str() {
            "invalid digit found in string" | "cannot parse integer from empty string" => {
                "expected a whole number".into()
            }
            "number too large to fit in target type" => "the number is too large".into(),
            "number too small to fit in target type" => "the number is too small".into(),
            "provided string was not \"true\" or \"false\"" => "expected true or false".into(),
            _ => plain,
        };
    };
    let (kind, rest) = first_word(expected);
    let (next, after) = first_word(rest.trim_start());
    match kind {
        "struct" => format!("{found}expected {object}{after}"),
        "map" => format!("{found}expected {object}{rest}"),
        "a" if next == "map" => format!("{found}expected {object}{after}"),
        "a" if next == "sequence" => format!("{found}expected a list{after}"),
        "a" if next == "boolean" => format!("{found}expected true or false{after}"),
        "a" if next == "nonzero" => {
            let (_, after) = first_word(after.trim_start());
            format!("{found}expected a whole number, 1 or higher{after}")
        }
        "u8" | "u16" | "u32" | "u64" | "usize" => format!("{found}expected a whole number, 0 or higher{rest}"),
        "i8" | "i16" | "i32" | "i64" | "isize" => format!("{found}expected a whole number{rest}"),
        "f32" | "f64" => format!("{found}expected a number{rest}"),
        _ => plain,
    }
}

fn first_word(text: &str) -> (&str, &str) {
    text.split_at(text.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_has_to_know_the_types_of_the_program() {
        for (said, plain) in [
            (
                "invalid type: integer `3`, expected struct ScheduleConfig",
                "invalid type: integer \"3\", expected a table",
            ),
            (
                "invalid value: integer `-1`, expected u32",
                "invalid value: integer \"-1\", expected a whole number, 0 or higher",
            ),
            (
                "invalid value: integer `0`, expected a nonzero u32",
                "invalid value: integer \"0\", expected a whole number, 1 or higher",
            ),
            (
                "invalid type: map, expected i64 at line 1 column 3",
                "invalid type: map, expected a whole number at line 1 column 3",
            ),
            ("invalid type: null, expected f64", "invalid type: null, expected a number"),
            ("invalid type: string \"x\", expected a boolean", "invalid type: string \"x\", expected true or false"),
            ("invalid type: string \"x\", expected a sequence", "invalid type: string \"x\", expected a list"),
            ("invalid type: string \"x\", expected a map", "invalid type: string \"x\", expected a table"),
            (
                "unknown variant `last`, expected one of `skip`, `all`",
                "unknown word \"last\", expected one of \"skip\", \"all\"",
            ),
            ("unknown field `a`, expected `b` or `c`", "unknown field \"a\", expected \"b\" or \"c\""),
            ("invalid digit found in string", "expected a whole number"),
            ("number too large to fit in target type", "the number is too large"),
            ("provided string was not `true` or `false`", "expected true or false"),
            ("missing field `job`", "missing field \"job\""),
        ] {
            assert_eq!(in_plain_words(said, "a table"), plain);
        }
    }
}
