use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};

use super::host::host_of;
use crate::error::ApiError;

/// Refuses a change that a browser asks for in the name of another site's page. Browsers say so in `Sec-Fetch-Site`, and
/// where they leave that out (plain HTTP), in `Origin`. Programs send neither.
pub(crate) fn check(request: &Request) -> Result<(), ApiError> {
    if request.method().is_safe() || is_own(request.headers(), request.uri()) {
        return Ok(());
    }
    let error =
        ApiError::new(StatusCode::FORBIDDEN, "cross_site", "a page of another site may not change anything here");
    Err(error.hint("use the pages of this server, or a program that sends no Origin"))
}

fn is_own(headers: &HeaderMap, uri: &Uri) -> bool {
    let fetched = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    match (fetched, headers.get(header::ORIGIN)) {
        (Some(site), _) => site == b"same-origin" || site == b"none",
        (None, None) => true,
        (None, Some(origin)) => {
            let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
            origin.is_some_and(|(_, host)| host_of(headers, uri).is_some_and(|own| own == host.to_ascii_lowercase()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(pairs: &[(&'static str, &str)]) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, "localhost:7070".parse().unwrap());
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        is_own(&headers, &Uri::from_static("/api/v1/jobs"))
    }

    #[test]
    fn a_program_and_the_own_pages_may_change() {
        assert!(asked(&[]));
        assert!(asked(&[("sec-fetch-site", "same-origin")]));
        assert!(asked(&[("sec-fetch-site", "none")]));
        assert!(asked(&[("origin", "http://localhost:7070")]));
    }

    #[test]
    fn a_page_of_another_site_may_not() {
        assert!(!asked(&[("sec-fetch-site", "cross-site")]));
        assert!(!asked(&[("sec-fetch-site", "same-site")]));
        assert!(!asked(&[("origin", "https://evil.example")]));
        assert!(!asked(&[("origin", "http://localhost:8080")]));
        assert!(!asked(&[("origin", "null")]));
        assert!(!asked(&[("sec-fetch-site", "cross-site"), ("origin", "http://localhost:7070")]));
    }
}
