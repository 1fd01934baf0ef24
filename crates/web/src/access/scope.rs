use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::input::pairs::{decode, encode};

/// A right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// To read everything: jobs with payloads, errors and logs, queues, workers, schedules.
    Read,
    /// To enqueue jobs, and to edit the payload, type or queue of a job. A payload is input of code, so this is the right
    /// to have code run.
    Enqueue,
    /// To register as a worker, to claim jobs and to write their outcomes.
    Work,
    /// To retry, cancel, delete and reprioritise jobs, to pause and resume, and to change limits and batches. Includes [`Scope::Read`].
    Operate,
    /// Everything.
    Admin,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Read, Self::Enqueue, Self::Work, Self::Operate, Self::Admin];

    /// The word in the command line, in JSON and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Enqueue => "enqueue",
            Self::Work => "work",
            Self::Operate => "operate",
            Self::Admin => "admin",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }

    /// The scope itself and those that it includes.
    const fn includes(self) -> u8 {
        match self {
            Self::Read | Self::Enqueue | Self::Work => self.bit(),
            Self::Operate => self.bit() | Self::Read.bit(),
            Self::Admin => 0b1_1111,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that is no scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no scope {0:?}: use read, enqueue, work, operate or admin")]
pub struct UnknownScope(pub String);

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(word: &str) -> Result<Self, UnknownScope> {
        let found = Self::ALL.into_iter().find(|scope| scope.as_str() == word);
        found.ok_or_else(|| UnknownScope(word.to_owned()))
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Before the name of a queue in the words of a token.
const QUEUE: &str = "queue:";

/// The word among the scopes of a token by which it sees this queue, and no queue without such a word.
pub fn queue_word(queue: &str) -> String {
    format!("{QUEUE}{}", encode(queue))
}

/// The queue of such a word.
pub fn queue_of(word: &str) -> Option<String> {
    word.strip_prefix(QUEUE).map(decode)
}

/// A set of rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Scopes(u8);

impl Scopes {
    /// Whether it has the right, by itself or by one that includes it.
    pub const fn contain(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// The rights in it that change nothing.
    pub(crate) const fn reading_only(self) -> Self {
        Self(self.0 & Scope::Read.bit())
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope.includes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admin_has_every_right_and_operate_may_read() {
        let admin = Scopes::from_iter([Scope::Admin]);
        assert!(Scope::ALL.into_iter().all(|scope| admin.contain(scope)));
        let operate = Scopes::from_iter([Scope::Operate]);
        let held: Vec<Scope> = Scope::ALL.into_iter().filter(|scope| operate.contain(*scope)).collect();
        assert_eq!(held, [Scope::Read, Scope::Operate]);
    }

    #[test]
    fn nobody_has_a_right_by_reading_only() {
        let all = Scopes::from_iter(Scope::ALL).reading_only();
        let held: Vec<Scope> = Scope::ALL.into_iter().filter(|scope| all.contain(*scope)).collect();
        assert_eq!(held, [Scope::Read]);
        assert_eq!(Scopes::from_iter([Scope::Enqueue]).reading_only(), Scopes::default());
    }

    #[test]
    fn a_queue_is_a_word_without_spaces() {
        for queue in ["mail", "a b", "ü/,:%", "queue:x"] {
            let word = queue_word(queue);
            assert!(word.is_ascii() && !word.contains([' ', ',']), "{word}");
            assert_eq!(queue_of(&word).as_deref(), Some(queue));
            assert!(word.parse::<Scope>().is_err());
        }
        assert_eq!(queue_of("read"), None);
    }

    #[test]
    fn a_word_is_a_scope_or_an_error_that_lists_them() {
        for scope in Scope::ALL {
            assert_eq!(scope.as_str().parse(), Ok(scope));
        }
        assert!("root".parse::<Scope>().unwrap_err().to_string().contains("use read, enqueue"));
    }
}
