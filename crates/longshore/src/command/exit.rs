use longshore_core::FailureType;

use super::supervision::protocol::{Cause, Exit};

/// The failure type for an exit status, after sysexits.h and the shells.
const fn of_status(status: i32) -> FailureType {
    match status {
        64..=66 => FailureType::ValidationError,
        68 | 69 | 75 => FailureType::NetworkError,
        71 | 72 => FailureType::SystemError,
        73 | 74 => FailureType::ResourceError,
        77 | 126 => FailureType::PermissionError,
        78 | 127 => FailureType::ConfigError,
        _ => FailureType::WorkerError,
    }
}

/// The failure type for the end of a program that reported no failure type.
pub(crate) fn failure_type(exit: Exit, cause: Cause) -> FailureType {
    match (exit, cause) {
        (Exit::Status(status), _) => of_status(status),
        // We did not send it, so most likely the kernel did, because memory was short.
        (Exit::Signal(SIGKILL), Cause::Itself) => FailureType::ResourceError,
        (Exit::Signal(_), _) => FailureType::WorkerError,
    }
}

const SIGKILL: i32 = 9;

/// How a program ended, in words.
pub(crate) fn describe(exit: Exit) -> String {
    match exit {
        Exit::Status(status) => format!("exited with status {status}"),
        Exit::Signal(signal) => match signal_name(signal) {
            Some(name) => format!("ended by signal {signal} ({name})"),
            None => format!("ended by signal {signal}"),
        },
    }
}

/// Names of the signals that have the same number on every Unix.
const fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        8 => "SIGFPE",
        SIGKILL => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_mean_what_sysexits_says() {
        use FailureType as Type;
        let table = [
            (1, Type::WorkerError),
            (2, Type::WorkerError),
            (64, Type::ValidationError),
            (65, Type::ValidationError),
            (66, Type::ValidationError),
            (67, Type::WorkerError),
            (68, Type::NetworkError),
            (69, Type::NetworkError),
            (70, Type::WorkerError),
            (71, Type::SystemError),
            (72, Type::SystemError),
            (73, Type::ResourceError),
            (74, Type::ResourceError),
            (75, Type::NetworkError),
            (76, Type::WorkerError),
            (77, Type::PermissionError),
            (78, Type::ConfigError),
            (79, Type::WorkerError),
            (126, Type::PermissionError),
            (127, Type::ConfigError),
            (128, Type::WorkerError),
            (255, Type::WorkerError),
        ];
        for (status, expected) in table {
            assert_eq!(failure_type(Exit::Status(status), Cause::Itself), expected, "{status}");
        }
    }

    #[test]
    fn a_sigkill_that_nobody_of_us_sent_is_a_want_of_resources() {
        assert_eq!(failure_type(Exit::Signal(9), Cause::Itself), FailureType::ResourceError);
        assert_eq!(failure_type(Exit::Signal(9), Cause::Asked), FailureType::WorkerError);
        assert_eq!(failure_type(Exit::Signal(11), Cause::Itself), FailureType::WorkerError);
    }
}
