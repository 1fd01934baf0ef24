use std::str::FromStr;
use std::time::Duration;

use crate::InvalidPostgresUrl as Invalid;
use crate::parameters::Parameters;

/// Takes a parameter as one of a few words.
pub(crate) fn word<T: Copy>(
    parameters: &Parameters,
    name: &'static str,
    words: &[(&'static str, T)],
    expected: &'static str,
) -> Result<Option<T>, Invalid> {
    let Some(value) = parameters.get(name) else { return Ok(None) };
    let found = words.iter().find(|(word, _)| word == value);
    found.map(|(_, meaning)| Some(*meaning)).ok_or(Invalid::Value { name, expected })
}

pub(crate) fn number<T: FromStr>(parameters: &Parameters, name: &'static str) -> Result<Option<T>, Invalid> {
    let Some(value) = parameters.get(name) else { return Ok(None) };
    value.trim().parse().map(Some).map_err(|_| Invalid::Value { name, expected: "a number" })
}

/// Zero and less mean no limit, or the default of the system.
pub(crate) fn seconds(parameters: &Parameters, name: &'static str) -> Result<Option<Duration>, Invalid> {
    Ok(number::<i64>(parameters, name)?.map(|seconds| Duration::from_secs(seconds.max(0).unsigned_abs())))
}
