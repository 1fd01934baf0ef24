use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::command::claim_word::CLAIM_VARIABLE;

/// The first argument that makes this program the supervisor of one command.
pub(crate) const SUBCOMMAND: &str = "supervise-command-job";

/// The supervisor's name in process lists. It differs from the program's name, so that `pkill -9 longshore` kills the
/// worker but not the supervisor, which then ends the command.
pub(crate) const PROCESS_NAME: &str = "job-supervisor";

/// The variable that marks every process of one attempt. It is used if the supervisor itself is killed.
pub(crate) const MARK_VARIABLE: &str = "LONGSHORE_SUPERVISOR";

/// The variable with the last checkpoint. Without one it is not set, whatever the worker was started with.
pub(crate) const CHECKPOINT_VARIABLE: &str = "LONGSHORE_CHECKPOINT";

/// What the job waited for, as JSON, by reference and by id.
pub(crate) const DEPENDENCIES_VARIABLE: &str = "LONGSHORE_DEPENDENCIES";

/// The path of a file with the same, if it is too long for a variable.
pub(crate) const DEPENDENCIES_FILE_VARIABLE: &str = "LONGSHORE_DEPENDENCIES_FILE";

/// Variables that the program gets only from its own attempt, whatever the worker was started with.
pub(crate) const OWN_VARIABLES: [&str; 6] = [
    CHECKPOINT_VARIABLE,
    CLAIM_VARIABLE,
    DEPENDENCIES_FILE_VARIABLE,
    DEPENDENCIES_VARIABLE,
    TRACEPARENT_VARIABLE,
    TRACESTATE_VARIABLE,
];

/// The W3C trace context of the enqueue. The variables of whoever started the worker are not passed on.
pub(crate) const TRACEPARENT_VARIABLE: &str = "TRACEPARENT";
pub(crate) const TRACESTATE_VARIABLE: &str = "TRACESTATE";

/// The maximum length of an order. The operating system limits arguments and environment too.
const ORDER_BYTES_MAX: u32 = 16 * 1024 * 1024;

/// What to run. Sent first: four bytes of length, this as JSON, then the payload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Order {
    /// The program and its arguments.
    pub(crate) run: Vec<String>,
    /// Variables in addition to the inherited ones.
    pub(crate) env: BTreeMap<String, String>,
    /// The working directory, if not the worker's.
    pub(crate) directory: Option<PathBuf>,
    /// The time between SIGTERM and SIGKILL, in milliseconds.
    pub(crate) grace_ms: u64,
    /// What the program has as standard input.
    pub(crate) input: Input,
    /// The absolute path of a file that the worker has made for the program. The supervisor removes it when nothing is
    /// left of the program.
    pub(crate) file: Option<PathBuf>,
}

/// The standard input of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Input {
    /// A file with the payload, which follows the order.
    Payload {
        /// Its length.
        bytes: usize,
    },
    /// A pipe from the worker. Its other end follows the order, with one byte.
    Pipe,
}

/// One byte from the worker at any later time. The end of the stream means the same as [`Word::Stop`], because then the
/// worker is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// Send SIGTERM now, and SIGKILL after the grace period.
    Stop,
    /// Send SIGKILL now.
    Kill,
}

/// What the supervisor reports to its worker, one line of JSON each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum News {
    /// The program is running. Its process id is also its process group id.
    Started {
        /// The process id.
        pid: i32,
    },
    /// The program could not be started.
    Refused {
        /// The error number of the operating system.
        errno: i32,
    },
    /// The program ended.
    Ended {
        /// How.
        exit: Exit,
        /// Why.
        cause: Cause,
    },
    /// Processes that the program left in the background are being ended.
    Sweeping {
        /// How many were found.
        processes: usize,
    },
    /// The last report.
    Done {
        /// How many processes could not be ended, even by SIGKILL.
        left: usize,
    },
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Exit {
    /// It exited with a status.
    Status(i32),
    /// A signal ended it.
    Signal(i32),
}

/// Why a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Cause {
    /// It ended before it was asked to stop.
    Itself,
    /// It had been asked to stop.
    Asked,
}

impl Order {
    /// The order as bytes, without the payload.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, io::Error> {
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

    /// Reads the order and the payload, and no further byte.
    pub(crate) fn read(from: &mut impl Read) -> io::Result<(Self, Vec<u8>)> {
        let mut length = [0; 4];
        from.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length);
        if length > ORDER_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "this is not an order of a worker"));
        }
        let mut body = vec![0; length as usize];
        from.read_exact(&mut body)?;
        let order: Self = serde_json::from_slice(&body)?;
        let mut payload = match order.input {
            Input::Payload { bytes } => vec![0; bytes],
            Input::Pipe => Vec::new(),
        };
        from.read_exact(&mut payload)?;
        Ok((order, payload))
    }
}

impl Word {
    pub(crate) const fn as_byte(self) -> u8 {
        match self {
            Self::Stop => b's',
            Self::Kill => b'k',
        }
    }

    /// An unknown byte means stop: the worker and the supervisor disagree about the protocol.
    pub(crate) const fn of_byte(byte: u8) -> Self {
        match byte {
            b'k' => Self::Kill,
            _ => Self::Stop,
        }
    }
}

impl News {
    /// The line, with its line end.
    pub(crate) fn encode(self) -> Vec<u8> {
        let mut line = serde_json::to_vec(&self).expect("numbers and words always encode");
        line.push(b'\n');
        line
    }

    /// Parses one line. `None` if it is not a report.
    pub(crate) fn parse(line: &str) -> Option<Self> {
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
            input: Input::Payload { bytes: 2 },
            file: Some("/tmp/a".into()),
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
