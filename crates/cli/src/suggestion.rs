//! Suggestions for names and words that are probably misspelt.

/// A name that is a part of another one counts as similar from this length on.
const PART_MIN: usize = 3;
/// One wrong letter for each so many letters counts as a typo.
const LETTERS_A_TYPO: usize = 3;

/// The known name that `word` was probably meant to be: the one with the fewest differing letters. `None` if no name is
/// similar, or if `word` is one of them.
pub(crate) fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let mut best: Option<(usize, &'a str)> = None;
    for name in known {
        if name == word {
            return None;
        }
        let name_lower = name.to_lowercase();
        let distance = strsim::osa_distance(&lower, &name_lower);
        let is_part = lower.len() >= PART_MIN && (name_lower.starts_with(&lower) || name_lower.ends_with(&lower));
        let letters = lower.chars().count().max(name_lower.chars().count());
        let is_similar = is_part || distance * LETTERS_A_TYPO <= letters;
        if is_similar && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, name));
        }
    }
    best.map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_the_name_that_was_meant() {
        let known = ["thumbnail", "send_mail", "report", "default"];
        for (word, meant) in [
            ("thumbnai", "thumbnail"),
            ("thumb", "thumbnail"),
            ("Thumbnail", "thumbnail"),
            ("mail", "send_mail"),
            ("sendmail", "send_mail"),
            ("defualt", "default"),
            ("reprot", "report"),
        ] {
            assert_eq!(closest(word, known), Some(meant), "{word}");
        }
    }

    #[test]
    fn a_known_name_and_one_that_is_like_no_other_have_no_suggestion() {
        for word in ["thumbnail", "resize", "charge", "x", ""] {
            assert_eq!(closest(word, ["thumbnail", "send_mail"]), None, "{word}");
        }
    }
}
