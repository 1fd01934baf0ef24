use jiff::tz::{TimeZone, TimeZoneDatabase, db};
use thiserror::Error;

/// The name of a time zone is unknown.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the time zone {name:?} is not known: expected an IANA name such as Europe/Berlin{}", did_you_mean(suggestion.as_deref()))]
pub struct InvalidTimeZone {
    /// As it was given.
    pub name: String,
    /// A name that is written in a similar way.
    pub suggestion: Option<String>,
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map(|name| format!("; did you mean {name}?")).unwrap_or_default()
}

/// The rules of a time zone, from the system, else from those built in.
pub fn find_time_zone(name: &str) -> Result<TimeZone, InvalidTimeZone> {
    if name.eq_ignore_ascii_case("UTC") {
        return Ok(TimeZone::UTC);
    }
    // The name is the path of a file for the system's database, so only names that could be in it are looked up.
    let is_name = !name.is_empty()
        && name.len() <= 64
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_+-".contains(&byte))
        && !name.starts_with('/');
    let found = is_name.then(|| db().get(name).or_else(|_| TimeZoneDatabase::bundled().get(name)));
    match found {
        Some(Ok(zone)) => Ok(zone),
        _ => Err(InvalidTimeZone { name: name.chars().take(64).collect(), suggestion: similar(name) }),
    }
}

/// What someone might have meant: the same city, or a few letters apart.
fn similar(name: &str) -> Option<String> {
    let given: String = name.chars().take(64).map(|letter| if letter == ' ' { '_' } else { letter }).collect();
    let given = given.to_lowercase();
    let bundled = TimeZoneDatabase::bundled();
    let names = || bundled.available().map(|name| name.as_str().to_owned());
    let city = |name: &str| name.to_lowercase().rsplit('/').next().unwrap_or_default().to_owned();
    let of_city = names().find(|name| name.contains('/') && city(name) == city(&given));
    of_city.or_else(|| {
        let near = names().map(|name| (strsim::damerau_levenshtein(&name.to_lowercase(), &given), name));
        near.min().filter(|(distance, _)| *distance <= 3).map(|(_, name)| name)
    })
}
