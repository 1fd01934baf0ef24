use std::ffi::OsStr;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Arg, Command, Error};
use longshore_core::{
    BatchStatus, DeadLetterCode, DeedAction, FailureType, Missed, OnDuplicate, Overlap, Priority, Status, TickOutcome,
    UniqueWhile,
};

use crate::suggestion::closest;

/// A value that is one of a list of words.
pub(crate) trait Word: FromStr<Err: fmt::Display> + Clone + Send + Sync + 'static {
    /// The words, as completion and help show them.
    fn words() -> Vec<&'static str>;

    /// What people write instead of one of the words.
    const OTHERWISE: &'static [(&'static str, &'static str)] = &[];
}

impl Word for Status {
    fn words() -> Vec<&'static str> {
        Self::ALL.map(Self::as_str).into()
    }

    const OTHERWISE: &'static [(&'static str, &'static str)] = &[
        ("failed", "dead_letter"),
        ("done", "completed"),
        ("succeeded", "completed"),
        ("queued", "pending"),
        ("waiting", "pending"),
        ("scheduled", "pending"),
    ];
}

impl Word for BatchStatus {
    fn words() -> Vec<&'static str> {
        Self::ALL.map(Self::as_str).into()
    }

    const OTHERWISE: &'static [(&'static str, &'static str)] =
        &[("done", "completed"), ("succeeded", "completed"), ("dead_letter", "failed"), ("closed", "running")];
}

impl Word for FailureType {
    fn words() -> Vec<&'static str> {
        Self::ALL.map(Self::as_str).into()
    }
}

impl Word for DeadLetterCode {
    fn words() -> Vec<&'static str> {
        Self::ALL.map(Self::as_str).into()
    }
}

impl Word for DeedAction {
    fn words() -> Vec<&'static str> {
        Self::ALL.into()
    }

    const OTHERWISE: &'static [(&'static str, &'static str)] = &[("priority", "reprioritise"), ("remove", "delete")];
}

impl Word for TickOutcome {
    fn words() -> Vec<&'static str> {
        Self::ALL.map(Self::as_str).into()
    }
}

impl Word for Missed {
    fn words() -> Vec<&'static str> {
        Self::ALL.map(Self::as_str).into()
    }
}

impl Word for Overlap {
    fn words() -> Vec<&'static str> {
        Self::ALL.map(Self::as_str).into()
    }
}

impl Word for Priority {
    fn words() -> Vec<&'static str> {
        Self::NAMES.map(|(name, _)| name).into()
    }
}

impl Word for OnDuplicate {
    fn words() -> Vec<&'static str> {
        vec!["keep", "replace", "push-back"]
    }
}

impl Word for UniqueWhile {
    fn words() -> Vec<&'static str> {
        vec!["unfinished", "waiting"]
    }
}

/// The name of a priority that `word` was probably meant to be.
pub(crate) fn closest_priority(word: &str) -> Option<&'static str> {
    closest(word, Priority::words())
}

/// Parses a [`Word`]. Help, completion and the suggestion for a misspelt one use the same list.
#[derive(Debug)]
pub(crate) struct WordParser<T>(PhantomData<fn() -> T>);

impl<T> WordParser<T> {
    /// The parser.
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> Clone for WordParser<T> {
    fn clone(&self) -> Self {
        Self::new()
    }
}

impl<T: Word> TypedValueParser for WordParser<T> {
    type Value = T;

    fn parse_ref(&self, command: &Command, argument: Option<&Arg>, value: &OsStr) -> Result<T, Error> {
        let word = value.to_str().ok_or_else(|| Error::new(ErrorKind::InvalidUtf8).with_cmd(command))?;
        word.parse().map_err(|error| unknown::<T>(command, argument, word, &error))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue>>> {
        Some(Box::new(T::words().into_iter().map(PossibleValue::new)))
    }
}

/// The error for an unknown word in clap's form, with our suggestion.
fn unknown<T: Word>(command: &Command, argument: Option<&Arg>, word: &str, error: &T::Err) -> Error {
    let name = argument.map_or_else(|| "the argument".to_owned(), ToString::to_string);
    let mut text = format!("invalid value '{word}' for '{name}': {error}\n\n");
    let otherwise = T::OTHERWISE.iter().find(|(otherwise, _)| otherwise.eq_ignore_ascii_case(word));
    if let Some(meant) = otherwise.map(|(_, meant)| *meant).or_else(|| closest(word, T::words())) {
        text += &format!("  tip: a similar value exists: '{meant}'\n\n");
    }
    text += "For more information, try '--help'.\n";
    Error::raw(ErrorKind::ValueValidation, text).with_cmd(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message<T: Word>(word: &str) -> String {
        let argument = Arg::new("status").long("status").value_name("STATUS").value_parser(WordParser::<T>::new());
        match Command::new("longshore").arg(argument).try_get_matches_from(["longshore", &format!("--status={word}")]) {
            Ok(_) => "parsed".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_word_that_is_nearly_right_has_a_suggestion() {
        for (message, meant) in [
            (message::<Status>("dead"), "dead_letter"),
            (message::<Status>("failed"), "dead_letter"),
            (message::<Status>("Done"), "completed"),
            (message::<Status>("canceled"), "cancelled"),
            (message::<Status>("PENDING"), "pending"),
            (message::<FailureType>("network"), "network_error"),
            (message::<DeadLetterCode>("retries"), "retries_spent"),
            (message::<Priority>("hihg"), "high"),
            (message::<OnDuplicate>("replcae"), "replace"),
            (message::<UniqueWhile>("wait"), "waiting"),
        ] {
            assert!(message.contains(&format!("tip: a similar value exists: '{meant}'")), "{meant}: {message}");
        }
        assert!(!message::<Status>("xyz").contains("tip"));
    }

    #[test]
    fn an_unknown_word_is_answered_with_all_that_are_known() {
        let message = message::<Priority>("loud");
        let expected = "error: invalid value 'loud' for '--status <STATUS>': \"loud\" is not a priority: expected";
        assert!(message.starts_with(expected) && message.contains("or low, normal, high, urgent"), "{message}");
    }

    #[test]
    fn every_word_of_the_list_is_parsed() {
        fn parses<T: Word>() {
            assert!(T::words().iter().all(|word| word.parse::<T>().is_ok()));
            assert!(T::OTHERWISE.iter().all(|(_, meant)| meant.parse::<T>().is_ok()));
        }
        parses::<Status>();
        parses::<FailureType>();
        parses::<DeadLetterCode>();
        parses::<Priority>();
        parses::<OnDuplicate>();
        parses::<UniqueWhile>();
        parses::<DeedAction>();
        assert_eq!(message::<Priority>("-3"), "parsed");
    }
}
