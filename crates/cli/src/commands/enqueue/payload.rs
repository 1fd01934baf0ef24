use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use longshore_core::{JobData, Limits};

use crate::command_error::CommandError;

/// Reads the payload that DATA means: JSON, `-` for standard input, `@FILE` for a file, nothing for `{}`.
pub(crate) fn read(data: Option<&str>) -> Result<JobData, CommandError> {
    let text = match data {
        None => return Ok(JobData::default()),
        Some("-") => read_bounded(Path::new("standard input"), io::stdin().lock())?,
        Some(word) => match word.strip_prefix('@') {
            None => word.to_owned(),
            Some(path) => {
                let path = Path::new(path);
                let unreadable = |source| CommandError::Unreadable { path: path.to_owned(), source };
                read_bounded(path, File::open(path).map_err(unreadable)?)?
            }
        },
    };
    Ok(JobData::parse(text)?)
}

fn read_bounded(path: &Path, input: impl Read) -> Result<String, CommandError> {
    let max = Limits::default().payload_bytes_max;
    let mut bytes = Vec::new();
    // One byte more than is accepted is enough to know that it is too much.
    input
        .take(max as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| CommandError::Unreadable { path: path.to_owned(), source })?;
    if bytes.len() > max {
        return Err(CommandError::PayloadTooLong { max });
    }
    String::from_utf8(bytes).map_err(|_| CommandError::PayloadEncoding)
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
        let path = Path::new("a");
        let max = Limits::default().payload_bytes_max;
        assert_eq!(read_bounded(path, io::repeat(b'1').take(max as u64)).unwrap().len(), max);
        assert!(matches!(read_bounded(path, io::repeat(b'1')), Err(CommandError::PayloadTooLong { .. })));
        assert!(matches!(read_bounded(path, &b"\xff"[..]), Err(CommandError::PayloadEncoding)));
    }
}
