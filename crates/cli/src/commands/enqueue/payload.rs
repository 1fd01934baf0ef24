use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use longshore_core::{JobData, Limits};

use crate::error_report::command_error::{CommandError, PayloadOrigin};

/// Reads the payload that DATA names: JSON, `-` for standard input, `@FILE` for a file. Without DATA it is `{}`.
pub(crate) fn read(data: Option<&str>) -> Result<JobData, CommandError> {
    let Some(data) = data else { return Ok(JobData::default()) };
    let (text, origin) = match (data, data.strip_prefix('@')) {
        ("-", _) => (read_bounded(&PayloadOrigin::StandardInput, io::stdin().lock())?, PayloadOrigin::StandardInput),
        (_, None) => (data.to_owned(), PayloadOrigin::Argument),
        (_, Some(path)) => {
            // For a bare `@`, the error names the argument as it was written.
            let path = PathBuf::from(if path.is_empty() { data } else { path });
            let file = File::open(&path).map_err(|source| CommandError::Unreadable { path: path.clone(), source })?;
            let origin = PayloadOrigin::File(path);
            (read_bounded(&origin, file)?, origin)
        }
    };
    JobData::parse(text).map_err(|source| CommandError::Payload { source, origin })
}

fn read_bounded(origin: &PayloadOrigin, input: impl Read) -> Result<String, CommandError> {
    let max = Limits::default().payload_bytes_max;
    let mut bytes = Vec::new();
    // Reading one byte more than the limit shows that the input is too long.
    input.take(max as u64 + 1).read_to_end(&mut bytes).map_err(|source| unreadable(origin, source))?;
    if bytes.len() > max {
        return Err(CommandError::PayloadTooLong { origin: origin.clone(), max });
    }
    String::from_utf8(bytes).map_err(|_| CommandError::PayloadEncoding { origin: origin.clone() })
}

fn unreadable(origin: &PayloadOrigin, source: io::Error) -> CommandError {
    let path = match origin {
        PayloadOrigin::File(path) => path.clone(),
        _ => CommandError::STANDARD_INPUT.into(),
    };
    CommandError::Unreadable { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_data_is_the_empty_object() {
        assert_eq!(read(None).unwrap().as_str(), "{}");
    }

    #[test]
    fn a_file_is_read_up_to_the_limit_and_no_further() {
        let origin = &PayloadOrigin::StandardInput;
        let max = Limits::default().payload_bytes_max;
        assert_eq!(read_bounded(origin, io::repeat(b'1').take(max as u64)).unwrap().len(), max);
        assert!(matches!(read_bounded(origin, io::repeat(b'1')), Err(CommandError::PayloadTooLong { .. })));
        assert!(matches!(read_bounded(origin, &b"\xff"[..]), Err(CommandError::PayloadEncoding { .. })));
    }
}
