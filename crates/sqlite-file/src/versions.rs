//! What differs between the versions of rusqlite that this workspace accepts. Each version links one SQLite, and a
//! program links only one, so the version that fits beside another driver decides.

/// The answer of a call that gives a result in some versions of rusqlite, and none or a plain value in others.
pub trait Answered {
    /// The error, if there was one.
    fn answered(self) -> rusqlite::Result<()>;
}

impl<T> Answered for rusqlite::Result<T> {
    fn answered(self) -> rusqlite::Result<()> {
        self.map(drop)
    }
}

impl Answered for () {
    fn answered(self) -> rusqlite::Result<()> {
        Ok(self)
    }
}
