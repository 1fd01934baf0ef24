//! Who works, by which lease, and who is woken.

pub(super) mod lease;
pub(super) mod session;
pub(super) mod wakeups;
pub(super) mod worker;
