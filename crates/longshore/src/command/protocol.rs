use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The first argument that makes a program the supervisor of one command instead of itself.
pub(super) const SUBCOMMAND: &str = "supervise-command-job";

/// How the supervisor is called in process lists: not like its program, so that a `pkill -9 longshore` that
/// takes the worker leaves it alive to end the command.
pub(super) const PROCESS_NAME: &str = "job-supervisor";

/// The variable that marks every process of one attempt, for the case that the supervisor itself is killed.
pub(super) const MARK_VARIABLE: &str = "LONGSHORE_SUPERVISOR";

/// The longest order that is read: arguments and environment are bounded by the operating system as well.
const ORDER_BYTES_MAX: u32 = 16 * 1024 * 1024;

/// What the worker wants run. Sent first of all: four bytes of length, this as JSON, then the payload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Order {
    /// The program and its arguments.
    pub(super) run: Vec<String>,
    /// Variables beside the inherited ones.
    pub(super) env: BTreeMap<String, String>,
    /// Where it runs, if not where the worker does.
    pub(super) directory: Option<PathBuf>,
    /// How long everything has between SIGTERM and SIGKILL, in milliseconds.
    pub(super) grace_ms: u64,
    /// The length of the payload that follows.
    pub(super) payload_bytes: usize,
}

/// One byte from the worker at any time later. The end of the stream says the same as [`Word::Stop`], because
/// it means that the worker is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// SIGTERM now, SIGKILL after the grace.
    Stop,
    /// SIGKILL now.
    Kill,
}

/// What the supervisor tells its worker, one line of JSON each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum News {
    /// The program runs; its process is also its process group.
    Started {
        /// The process.
        pid: i32,
    },
    /// The program could not be started.
    Refused {
        /// Why, as the operating system numbers it.
        errno: i32,
    },
    /// The program ended.
    Ended {
        /// How.
        exit: Exit,
        /// By whose will.
        cause: Cause,
    },
    /// Processes that the program left in the background are being ended.
    Sweeping {
        /// How many were found.
        processes: usize,
    },
    /// Nothing more follows.
    Done {
        /// How many processes could not be ended, even by SIGKILL.
        left: usize,
    },
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Exit {
    /// By itself, with a status.
    Status(i32),
    /// By a signal.
    Signal(i32),
}

/// Who ended a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Cause {
    /// It ended before anybody asked.
    Itself,
    /// It had been asked to stop.
    Asked,
}

impl Order {
    /// The order as it is sent, without the payload.
    pub(super) fn encode(&self) -> Result<Vec<u8>, io::Error> {
        let body = serde_json::to_vec(self)?;
        let length = u32::try_from(body.len()).ok().filter(|length| *length <= ORDER_BYTES_MAX);
        let Some(length) = length else {
            return Err(io::Error::new(
                io::ErrorKind::ArgumentListTooLong,
                "the command and its environment are too long",
            ));
        };
        Ok([&length.to_le_bytes()[..], &body].concat())
    }

    /// Reads the order and the payload, and not a byte more.
    pub(super) fn read(from: &mut impl Read) -> io::Result<(Self, Vec<u8>)> {
        let mut length = [0; 4];
        from.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length);
        if length > ORDER_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "this is no order of a worker"));
        }
        let mut body = vec![0; length as usize];
        from.read_exact(&mut body)?;
        let order: Self = serde_json::from_slice(&body)?;
        let mut payload = vec![0; order.payload_bytes];
        from.read_exact(&mut payload)?;
        Ok((order, payload))
    }
}

impl Word {
    pub(super) const fn as_byte(self) -> u8 {
        match self {
            Self::Stop => b's',
            Self::Kill => b'k',
        }
    }

    /// What is no word asks for a stop: the worker is of another mind than the supervisor.
    pub(super) const fn of_byte(byte: u8) -> Self {
        match byte {
            b'k' => Self::Kill,
            _ => Self::Stop,
        }
    }
}

impl News {
    /// The line, its end included.
    pub(super) fn encode(self) -> Vec<u8> {
        let mut line = serde_json::to_vec(&self).expect("numbers and words always encode");
        line.push(b'\n');
        line
    }

    /// Reads one line; nothing of a line that is no news.
    pub(super) fn parse(line: &str) -> Option<Self> {
        serde_json::from_str(line).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_read_back_with_its_payload_and_what_follows_stays() {
        let order = Order {
            run: vec!["sh".to_owned(), "-c".to_owned(), "echo \"ä\n\"".to_owned()],
            env: BTreeMap::from([("A".to_owned(), "b=c".to_owned())]),
            directory: Some("/tmp".into()),
            grace_ms: 5,
            payload_bytes: 2,
        };
        let mut bytes = order.encode().unwrap();
        bytes.extend(b"{}s");
        let mut stream = bytes.as_slice();
        assert_eq!(Order::read(&mut stream).unwrap(), (order, b"{}".to_vec()));
        assert_eq!(stream, b"s");
    }

    #[test]
    fn what_is_no_order_is_refused_without_reading_on() {
        assert!(Order::read(&mut &b"\xff\xff\xff\xff"[..]).is_err());
        assert!(Order::read(&mut &b"\x02\0\0\0[]"[..]).is_err());
        assert!(Order::read(&mut &b""[..]).is_err());
    }

    #[test]
    fn news_are_lines() {
        let news = News::Ended { exit: Exit::Signal(9), cause: Cause::Asked };
        let line = news.encode();
        assert_eq!(News::parse(str::from_utf8(&line).unwrap()), Some(news));
        assert_eq!(News::parse("panicked at"), None);
    }
}
