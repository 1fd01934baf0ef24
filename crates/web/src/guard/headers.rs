use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

/// Only what this server embeds is loaded and run: no inline script or style, no frame, no other site.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      font-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'none'";

const ALWAYS: [(HeaderName, &str); 4] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
];

/// Only for a browser that trusts the connection. Another one ignores it and says so in its console on every page.
const OF_TRUSTED: (HeaderName, &str) = (HeaderName::from_static("cross-origin-opener-policy"), "same-origin");

/// Whether a browser trusts the connection (HTTPS, or this machine): then it says how it came to the request. Behind a
/// proxy nothing else tells.
pub(super) fn is_trusted(request: &HeaderMap) -> bool {
    request.contains_key("sec-fetch-site")
}

/// Adds the headers that keep a browser safe, to every answer.
pub(super) fn add(headers: &mut HeaderMap, is_trusted: bool) {
    // Once, instead of growing twice.
    headers.reserve(ALWAYS.len() + 2);
    for (name, value) in ALWAYS.into_iter().chain(is_trusted.then_some(OF_TRUSTED)) {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    // Answers hold payloads. Assets say otherwise themselves.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}
