use std::borrow::Cow;

/// Text that PostgreSQL can keep: it has no character for zero.
pub(crate) fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        return Cow::Owned(text.replace('\0', "\u{fffd}"));
    }
    Cow::Borrowed(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_are_replaced_and_all_else_stays() {
        assert_eq!(storable("a\0b\0"), "a\u{fffd}b\u{fffd}");
        assert!(matches!(storable("as it is"), Cow::Borrowed("as it is")));
    }
}
