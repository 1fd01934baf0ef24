use std::fmt::Display;

use crate::output::table::printable;

/// How many names a sentence has.
const NAMED_MAX: usize = 10;

/// The first names and how many more there are, or `None` for no name.
pub(crate) fn some_of<T: Display>(names: impl IntoIterator<Item = T>) -> Option<String> {
    let mut names = names.into_iter();
    let named: Vec<String> = names.by_ref().take(NAMED_MAX).map(|name| printable(&name.to_string())).collect();
    let more = match names.count() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    if named.is_empty() { None } else { Some(named.join(", ") + &more) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_names_are_said_and_the_rest_is_counted() {
        assert_eq!(some_of(Vec::<&str>::new()), None);
        assert_eq!(some_of(["a", "b"]).as_deref(), Some("a, b"));
        assert_eq!(some_of(1..=12).as_deref(), Some("1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more"));
    }
}
