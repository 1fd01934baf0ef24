use std::borrow::Cow;
use std::fmt;

/// The message of [`CurrentAttempt::progress`](crate::CurrentAttempt::progress): a string of any kind, or `None`.
pub trait IntoProgressMessage {
    /// The text, if there is one.
    fn into_message(self) -> Option<String>;
}

impl IntoProgressMessage for &str {
    fn into_message(self) -> Option<String> {
        Some(self.to_owned())
    }
}

impl IntoProgressMessage for &String {
    fn into_message(self) -> Option<String> {
        Some(self.clone())
    }
}

impl IntoProgressMessage for String {
    fn into_message(self) -> Option<String> {
        Some(self)
    }
}

impl IntoProgressMessage for Cow<'_, str> {
    fn into_message(self) -> Option<String> {
        Some(self.into_owned())
    }
}

impl IntoProgressMessage for fmt::Arguments<'_> {
    fn into_message(self) -> Option<String> {
        Some(self.to_string())
    }
}

/// The only `Option`, so that the compiler knows the type of `None`.
impl IntoProgressMessage for Option<String> {
    fn into_message(self) -> Option<String> {
        self
    }
}
