use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};

use crate::input::pairs::{decode, encode};

/// The time zone of a user.
pub(super) const ZONE: &str = "longshore_zone";
/// The theme of a user.
pub(super) const THEME: &str = "longshore_theme";
/// What the last action did. Another site can set no cookie here, so nobody else can put words on a page.
pub(super) const NOTICE: &str = "longshore_notice";

/// A notice is shown by the next page, and lost if there is none.
const NOTICE_AGE: Duration = Duration::from_secs(20);
const PREFERENCE_AGE: Duration = Duration::from_secs(400 * 86_400);
/// Browsers drop longer cookies.
const VALUE_BYTES_MAX: usize = 3000;

/// The value of a cookie, decoded.
pub(super) fn read(headers: &HeaderMap, name: &str) -> Option<String> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(known, _)| *known == name)?;
    Some(decode(value)).filter(|value| !value.is_empty())
}

/// A preference that is kept.
pub(super) fn preference(base: &str, name: &str, value: &str) -> HeaderValue {
    cookie(base, name, value, PREFERENCE_AGE)
}

/// Words for the next page.
pub(super) fn notice(base: &str, words: &str) -> HeaderValue {
    cookie(base, NOTICE, words, NOTICE_AGE)
}

/// Takes the words back once they are shown.
pub(super) fn shown(base: &str) -> HeaderValue {
    cookie(base, NOTICE, "", Duration::ZERO)
}

fn cookie(base: &str, name: &str, value: &str, age: Duration) -> HeaderValue {
    let mut encoded = encode(value);
    if encoded.len() > VALUE_BYTES_MAX {
        encoded.truncate(VALUE_BYTES_MAX);
        // Not in the middle of an escape.
        if let Some(place) = encoded.rfind('%').filter(|place| place + 3 > encoded.len()) {
            encoded.truncate(place);
        }
    }
    // With a slash at its end, a path would not mean the page at the base path itself.
    let path = if base.is_empty() { "/" } else { base };
    let cookie = format!("{name}={encoded}; Path={path}; Max-Age={}; HttpOnly; SameSite=Strict", age.as_secs());
    HeaderValue::from_str(&cookie).expect("an encoded value and a path are plain ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_for_these_pages_alone_and_comes_back_as_it_was() {
        let set = notice("/jobs", "2 jobs: done; \"ok\"").to_str().unwrap().to_owned();
        assert!(set.ends_with("; Path=/jobs; Max-Age=20; HttpOnly; SameSite=Strict"), "{set}");
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, format!("a=b; {}", set.split(';').next().unwrap()).parse().unwrap());
        assert_eq!(read(&headers, NOTICE).as_deref(), Some("2 jobs: done; \"ok\""));
        assert_eq!(read(&headers, ZONE), None);
    }

    #[test]
    fn long_words_are_cut_between_escapes() {
        let set = notice("", &"é".repeat(2000)).to_str().unwrap().to_owned();
        let value = set.split(['=', ';']).nth(1).unwrap().to_owned();
        assert!(value.len() <= VALUE_BYTES_MAX);
        assert_eq!(value.len() % 3, 0);
    }
}
