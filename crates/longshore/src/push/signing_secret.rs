use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use thiserror::Error;

/// What a secret of Standard Webhooks begins with.
const PREFIX: &str = "whsec_";

/// A secret that signs requests, as in Standard Webhooks (<https://www.standardwebhooks.com>): `whsec_` and base64.
///
/// It never shows its content.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret {
    key: Vec<u8>,
}

/// The text is not a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("it is not a secret of Standard Webhooks: expected whsec_ and base64, or several of them between spaces")]
pub struct InvalidSigningSecret;

impl SigningSecret {
    /// Reads one secret. The prefix may be missing.
    pub fn parse(text: &str) -> Result<Self, InvalidSigningSecret> {
        let encoded = text.strip_prefix(PREFIX).unwrap_or(text);
        let key = STANDARD.decode(encoded).map_err(|_| InvalidSigningSecret)?;
        if key.is_empty() { Err(InvalidSigningSecret) } else { Ok(Self { key }) }
    }

    /// Reads at least one secret. Several, separated by white space, are for a rotation: a request has a signature by
    /// each of them.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, InvalidSigningSecret> {
        let secrets: Vec<Self> = text.split_whitespace().map(Self::parse).collect::<Result<_, _>>()?;
        if secrets.is_empty() { Err(InvalidSigningSecret) } else { Ok(secrets) }
    }

    /// The signature of a message, in the form of the header.
    fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes a key of any length");
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

/// The value of `webhook-signature`: one signature by each secret.
pub(super) fn signatures(secrets: &[SigningSecret], id: &str, timestamp: i64, body: &[u8]) -> String {
    let each: Vec<String> = secrets.iter().map(|secret| secret.sign(id, timestamp, body)).collect();
    each.join(" ")
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's reference libraries.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const TIMESTAMP: i64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    #[test]
    fn the_example_of_the_specification_has_its_signature() {
        let secrets = SigningSecret::parse_all(SECRET).unwrap();
        assert_eq!(signatures(&secrets, ID, TIMESTAMP, BODY), SIGNATURE);
        let bare = SigningSecret::parse(&SECRET[PREFIX.len()..]).unwrap();
        assert_eq!(signatures(&[bare], ID, TIMESTAMP, BODY), SIGNATURE);
    }

    #[test]
    fn during_a_rotation_there_is_a_signature_by_each_secret() {
        let secrets = SigningSecret::parse_all(&format!("  whsec_bmV3 {SECRET}\n")).unwrap();
        let both = signatures(&secrets, ID, TIMESTAMP, BODY);
        let (new, old) = both.split_once(' ').unwrap();
        assert!(new.starts_with("v1,") && new != old, "{both}");
        assert_eq!(old, SIGNATURE);
    }

    #[test]
    fn what_is_no_secret_is_refused_and_none_is_ever_shown() {
        for text in ["", " ", "whsec_", "whsec_%", "hunter2!", "whsec_bmV3 whsec_$"] {
            assert_eq!(SigningSecret::parse_all(text), Err(InvalidSigningSecret), "{text:?}");
        }
        assert_eq!(format!("{:?}", SigningSecret::parse(SECRET).unwrap()), "SigningSecret(…)");
    }
}
