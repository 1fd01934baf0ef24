use sha2::{Digest, Sha256};

use crate::Access;
use crate::error::ApiError;
use crate::state::WebState;

/// The name of the form field.
#[allow(dead_code, reason = "forms of the dashboard name it")]
pub(crate) const FIELD: &str = "csrf";

/// What every form of a page repeats, so that a form of another site cannot be sent in the user's name. It is derived
/// from a secret of this process and the log-in, so it holds as long as both.
pub(crate) fn token(state: &WebState, access: &Access) -> String {
    let mut hash = Sha256::new();
    hash.update(state.secret());
    hash.update(b"form");
    hash.update(access.session.as_bytes());
    hash.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Fails unless a form has repeated [`token`].
pub(crate) fn check(state: &WebState, access: &Access, repeated: &str) -> Result<(), ApiError> {
    // Compared by hashes, so that the time of the comparison says nothing of the token.
    let is_same = Sha256::digest(token(state, access)) == Sha256::digest(repeated);
    if is_same { Ok(()) } else { Err(ApiError::stale_form()) }
}
