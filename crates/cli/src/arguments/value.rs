use std::str::FromStr;

use thiserror::Error;

/// A queue and how many of its jobs run at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct QueueSlots {
    /// The queue.
    pub(crate) queue: String,
    /// How many of its jobs run at once; as many as the worker runs altogether unless given.
    pub(crate) slots: Option<u32>,
}

/// A word that is no queue with an optional number.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("\"{word}\" is no queue: expected NAME or NAME:N, with N from 1 to 10000")]
pub(crate) struct InvalidQueueSlots {
    word: String,
}

/// The most jobs that one process may run at once: what is more is a mistake.
pub(crate) const CONCURRENCY_MAX: u32 = 10_000;

impl FromStr for QueueSlots {
    type Err = InvalidQueueSlots;

    fn from_str(word: &str) -> Result<Self, InvalidQueueSlots> {
        let invalid = || InvalidQueueSlots { word: word.to_owned() };
        let (queue, slots) = match word.rsplit_once(':') {
            None => (word, None),
            Some((queue, number)) => (queue, Some(number.parse::<u32>().map_err(|_| invalid())?)),
        };
        let is_in_bounds = slots.is_none_or(|slots| (1..=CONCURRENCY_MAX).contains(&slots));
        if queue.is_empty() || !is_in_bounds {
            return Err(invalid());
        }
        Ok(Self { queue: queue.to_owned(), slots })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_may_say_how_many_of_its_jobs_run_at_once() {
        assert_eq!("mail".parse(), Ok(QueueSlots { queue: "mail".to_owned(), slots: None }));
        assert_eq!("a:b:3".parse(), Ok(QueueSlots { queue: "a:b".to_owned(), slots: Some(3) }));
    }

    #[test]
    fn a_queue_without_a_name_or_with_an_absurd_number_is_refused() {
        for word in ["", ":3", "mail:", "mail:0", "mail:-1", "mail:10001", "mail:99999999999"] {
            assert!(word.parse::<QueueSlots>().is_err(), "{word}");
        }
    }
}
