use longshore_core::TokenHash;
use sha2::{Digest, Sha256};

/// What a token begins with, so that people and scanners recognise one.
const PREFIX: &str = "lsh_";
const BYTES: usize = 32;

/// A secret of 256 random bits: a token, or the id of a log-in.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// A new one. Fails only if the operating system has no random bytes.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(Self(PREFIX.to_owned() + &hex(&bytes)))
    }

    /// What a request has sent; none if it cannot be one.
    pub(crate) fn sent(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(PREFIX)?;
        let is_hex = digits.len() == 2 * BYTES && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hex.then(|| Self(text.to_owned()))
    }

    /// The text, which is shown once.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is stored of it.
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.0.as_bytes()).into())
    }
}

/// A secret is in no log.
impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Bytes as digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_recognised_and_never_shown_by_debug() {
        let secret = Secret::random().unwrap();
        assert_eq!(Secret::sent(secret.as_str()).unwrap().hash(), secret.hash());
        assert!(!format!("{secret:?}").contains(&secret.as_str()[4..]));
        assert_ne!(Secret::random().unwrap().as_str(), secret.as_str());
    }

    #[test]
    fn other_text_is_no_secret() {
        for text in ["", "lsh_", "lsh_00", &format!("lsh_{}", "g".repeat(64)), &"0".repeat(68)] {
            assert!(Secret::sent(text).is_none(), "{text}");
        }
    }
}
