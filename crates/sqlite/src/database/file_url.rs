use std::path::Path;

/// The name by which SQLite opens the file at the absolute `path` with parameters, which only a URL can have.
pub(crate) fn file_url(path: &Path, parameters: &str) -> String {
    let mut url = "file://".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.".contains(byte) {
            url.push(char::from(*byte));
        } else {
            url.push_str(&format!("%{byte:02X}"));
        }
    }
    url.push('?');
    url.push_str(parameters);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_meaning_in_a_url_is_escaped() {
        assert_eq!(file_url(Path::new("/a b/q?#%.db"), "mode=ro"), "file:///a%20b/q%3F%23%25.db?mode=ro");
    }
}
