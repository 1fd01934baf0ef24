//! The variables of OpenTelemetry
//! (<https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>). The SDK reads most of them again
//! and says nothing of a value that it cannot use.

use std::ffi::OsString;
use std::ops::RangeInclusive;

use opentelemetry_http::Request;

use crate::settings::environment::process_variable;

/// How a collector is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
}

/// A variable that cannot be used as it is. Addresses and headers may hold secrets, so none is shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Mistake {
    #[error("{variable} is no address that begins with http:// or https://")]
    Address { variable: &'static str },
    #[error("{variable} is not UTF-8")]
    NotUtf8 { variable: &'static str },
    #[error("{variable} is {word}: set it to {known}")]
    Word { variable: &'static str, word: String, known: &'static str },
    #[error("{variable} must be a number from {first} to {last}")]
    Number { variable: &'static str, first: u64, last: u64 },
    #[error("OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1")]
    Share,
}

const ADDRESSES: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
const PROTOCOLS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];
const SAMPLERS: [&str; 6] = [
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
];
/// Beyond these the exporter would take all the time of a processor, or memory that is not there.
const NUMBERS: [(&str, RangeInclusive<u64>); 5] = [
    ("OTEL_BSP_SCHEDULE_DELAY", 1..=3_600_000),
    ("OTEL_BSP_MAX_QUEUE_SIZE", 1..=100_000),
    ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 1..=100_000),
    ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", 1..=3_600_000),
    ("OTEL_EXPORTER_OTLP_TIMEOUT", 1..=3_600_000),
];

/// How the collector is reached, if there is one.
pub(super) fn read() -> Result<Option<Scheme>, Mistake> {
    let Some((variable, address)) = first_of(&ADDRESSES)? else { return Ok(None) };
    if text("OTEL_SDK_DISABLED")?.is_some_and(|word| word.eq_ignore_ascii_case("true")) {
        return Ok(None);
    }
    if let Some(word) = text("OTEL_TRACES_EXPORTER")? {
        match word.as_str() {
            "otlp" => {}
            "none" => return Ok(None),
            _ => return Err(Mistake::Word { variable: "OTEL_TRACES_EXPORTER", word, known: "otlp or none" }),
        }
    }
    if let Some((variable, word)) = first_of(&PROTOCOLS)?
        && word != "http/protobuf"
    {
        return Err(Mistake::Word { variable, word, known: "http/protobuf" });
    }
    check_sampler()?;
    for (variable, range) in NUMBERS {
        let is_valid = |word: &String| word.parse().is_ok_and(|number: u64| range.contains(&number));
        if text(variable)?.is_some_and(|word| !is_valid(&word)) {
            return Err(Mistake::Number { variable, first: *range.start(), last: *range.end() });
        }
    }
    // As the exporter will read it.
    let request = Request::builder().uri(address).body(()).map_err(|_| Mistake::Address { variable })?;
    match (request.uri().scheme_str(), request.uri().host()) {
        (Some("http"), Some(_)) => Ok(Some(Scheme::Http)),
        (Some("https"), Some(_)) => Ok(Some(Scheme::Https)),
        _ => Err(Mistake::Address { variable }),
    }
}

fn check_sampler() -> Result<(), Mistake> {
    let variable = "OTEL_TRACES_SAMPLER";
    let Some(word) = text(variable)? else { return Ok(()) };
    if !SAMPLERS.contains(&word.as_str()) {
        return Err(Mistake::Word { variable, word, known: "parentbased_traceidratio or another known sampler" });
    }
    let share = text("OTEL_TRACES_SAMPLER_ARG")?;
    let is_valid = share.is_none_or(|share| share.parse().is_ok_and(|share: f64| (0.0..=1.0).contains(&share)));
    if is_valid || !word.ends_with("ratio") { Ok(()) } else { Err(Mistake::Share) }
}

fn first_of(variables: &[&'static str]) -> Result<Option<(&'static str, String)>, Mistake> {
    for variable in variables {
        if let Some(value) = text(variable)? {
            return Ok(Some((variable, value)));
        }
    }
    Ok(None)
}

fn text(variable: &'static str) -> Result<Option<String>, Mistake> {
    let value = process_variable(variable).map(OsString::into_string);
    value.transpose().map_err(|_| Mistake::NotUtf8 { variable })
}
