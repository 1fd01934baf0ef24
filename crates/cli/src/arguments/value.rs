use std::str::FromStr;

use longshore_core::InvalidJob;
use thiserror::Error;

/// A queue and its concurrency limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct QueueSlots {
    /// The queue.
    pub(crate) queue: String,
    /// How many of its jobs may run at once. `None` means as many as the worker runs in total.
    pub(crate) slots: Option<u32>,
}

/// The word is not a queue name with an optional count.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum InvalidQueueSlots {
    /// The text after the last colon is not an accepted count.
    #[error(
        "\"{word}\" has no count from 1 to {CONCURRENCY_MAX} after its last colon: expected NAME or NAME:N; if the \
        whole word \
         is the name of the queue, write \"{word}:N\""
    )]
    Count {
        /// The word that was given.
        word: String,
    },
    /// The name is not a valid queue name.
    #[error(transparent)]
    Name(#[from] InvalidJob),
}

/// The most jobs that one process may run at once. A larger number is treated as a mistake.
pub(crate) const CONCURRENCY_MAX: u32 = 10_000;

impl FromStr for QueueSlots {
    type Err = InvalidQueueSlots;

    /// The text after the last colon is a count if it looks like a number. Otherwise the colon is part of the name.
    fn from_str(word: &str) -> Result<Self, InvalidQueueSlots> {
        let (queue, slots) = match word.rsplit_once(':') {
            Some((queue, count)) if looks_like_count(count) => (queue, Some(read_count(word, count)?)),
            _ => (word, None),
        };
        InvalidJob::check_queue(queue)?;
        Ok(Self { queue: queue.to_owned(), slots })
    }
}

/// An empty or negative number also counts as a number: it is more likely a typo than part of a name.
fn looks_like_count(text: &str) -> bool {
    text.trim_start_matches(['+', '-']).chars().all(|digit| digit.is_ascii_digit())
}

fn read_count(word: &str, count: &str) -> Result<u32, InvalidQueueSlots> {
    let slots = count.parse::<u32>().ok().filter(|slots| (1..=CONCURRENCY_MAX).contains(slots));
    slots.ok_or_else(|| InvalidQueueSlots::Count { word: word.to_owned() })
}

/// Reads a whole number of a range. Its errors name the range as people write one.
pub(crate) fn whole_number(min: u32, max: u32) -> impl Fn(&str) -> Result<u32, String> + Clone + Send + Sync + 'static {
    move |word: &str| {
        let number = word.parse::<u64>().ok();
        let fitting = number.and_then(|number| u32::try_from(number).ok());
        if let Some(number) = fitting.filter(|number| (min..=max).contains(number)) {
            return Ok(number);
        }
        let is_too_large = number.is_some_and(|number| number > u64::from(max));
        Err(match max == u32::MAX && !is_too_large {
            true => format!("it must be a whole number, {min} or higher"),
            false => format!("it must be a whole number from {min} to {max}"),
        })
    }
}

/// Reads a number that is not zero.
pub(crate) fn one_or_more(word: &str) -> Result<u64, String> {
    let number = word.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "it must be a whole number, 1 or higher".to_owned())
}

/// A list of names separated by commas. `\,` is a comma inside a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NameList(pub(crate) Vec<String>);

/// A name in the list is empty.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("a name is missing: expected NAME or NAME,NAME; write a comma inside a name as \\,")]
pub(crate) struct MissingName;

impl FromStr for NameList {
    type Err = MissingName;

    fn from_str(text: &str) -> Result<Self, MissingName> {
        let mut names = vec![String::new()];
        let mut letters = text.chars().peekable();
        while let Some(letter) = letters.next() {
            let last = names.last_mut().expect("the list begins with one name");
            match letter {
                '\\' => last.push(letters.next_if(|next| matches!(next, ',' | '\\')).unwrap_or(letter)),
                ',' => names.push(String::new()),
                letter => last.push(letter),
            }
        }
        if names.iter().any(String::is_empty) { Err(MissingName) } else { Ok(Self(names)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(word: &str) -> (String, Option<u32>) {
        let read: QueueSlots = word.parse().unwrap_or_else(|error| panic!("{word}: {error}"));
        (read.queue, read.slots)
    }

    #[test]
    fn a_queue_may_say_how_many_of_its_jobs_run_at_once() {
        assert_eq!(read("mail"), ("mail".to_owned(), None));
        assert_eq!(read("mail:3"), ("mail".to_owned(), Some(3)));
    }

    #[test]
    fn every_name_that_a_job_may_have_can_be_written() {
        for name in ["a:b", "a:b:c", "a=b", "a b", "a,b", "a.b", "ä", ":b", "a:b9", "-a", &"x".repeat(200)] {
            assert_eq!(read(name), (name.to_owned(), None));
        }
        // A name that looks as if it ends in a count needs an explicit count.
        for name in ["a:b", "a:3", "a:", ":", "a:-1", "a:99999999999"] {
            assert_eq!(read(&format!("{name}:7")), (name.to_owned(), Some(7)));
        }
    }

    #[test]
    fn a_queue_without_a_name_or_with_an_absurd_number_is_refused() {
        for word in ["mail:", "mail:0", "mail:-1", "mail:10001", "mail:99999999999"] {
            let error = word.parse::<QueueSlots>().unwrap_err();
            assert!(error.to_string().contains(&format!("write \"{word}:N\"")), "{word}: {error}");
        }
        for word in ["", ":3", "a\nb", &"x".repeat(201)] {
            assert!(matches!(word.parse::<QueueSlots>(), Err(InvalidQueueSlots::Name(_))), "{word}");
        }
    }

    #[test]
    fn a_number_out_of_range_is_refused_with_the_range() {
        let limit = whole_number(1, 1000);
        assert_eq!((limit("1"), limit("1000")), (Ok(1), Ok(1000)));
        for word in ["0", "1001", "-5", "ten", "", "99999999999999999999"] {
            assert_eq!(limit(word), Err("it must be a whole number from 1 to 1000".to_owned()), "{word}");
        }
        let retries = whole_number(0, u32::MAX);
        assert_eq!(retries("0"), Ok(0));
        assert_eq!(retries("-1"), Err("it must be a whole number, 0 or higher".to_owned()));
        assert_eq!(retries("4294967296"), Err("it must be a whole number from 0 to 4294967295".to_owned()));
        assert_eq!(one_or_more("7"), Ok(7));
        assert!(one_or_more("0").is_err() && one_or_more("-1").is_err());
    }

    #[test]
    fn a_comma_in_a_list_of_names_can_belong_to_a_name() {
        let read = |text: &str| text.parse::<NameList>().map(|list| list.0);
        let names = |names: &[&str]| Ok(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(read("a"), names(&["a"]));
        assert_eq!(read("a,b c"), names(&["a", "b c"]));
        assert_eq!(read(r"a\,b,c"), names(&["a,b", "c"]));
        assert_eq!(read(r"a\b\\,c"), names(&[r"a\b\", "c"]));
        for text in ["", ",", "a,", ",a", "a,,b"] {
            assert_eq!(read(text), Err(MissingName), "{text}");
        }
    }
}
