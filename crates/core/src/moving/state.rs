use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{JobId, StoreError, Timestamp};

/// What a database keeps of the move that it is or was part of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveState {
    /// The same in both databases of a move, and different for each move.
    pub move_id: String,
    /// What has happened here so far.
    pub phase: MovePhase,
    /// The other database, as people write it, without a password.
    pub other: String,
    /// When the move began.
    pub begun_at: Timestamp,
    /// Whether completed and cancelled jobs move, too.
    pub takes_ended: bool,
    /// Where the jobs arrive: whether all but the jobs is there.
    #[serde(default)]
    pub has_settings: bool,
    /// Where the jobs arrive: the last job that is there.
    #[serde(default)]
    pub copied_to: Option<JobId>,
    /// The state before this move.
    #[serde(default)]
    pub before: Option<Box<MoveState>>,
}

/// What has happened in one of the two databases of a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MovePhase {
    /// Jobs leave this database. No job is enqueued or claimed any more, and running attempts may end.
    Draining,
    /// Jobs leave this database, none of them is running, and nothing changes any more.
    Frozen,
    /// The jobs have moved to the other database. What is left here is a copy that nobody may use.
    MovedAway,
    /// Jobs arrive in this database, which nobody may use yet.
    Arriving,
    /// The move was given up, and what has arrived is being removed.
    Undoing,
    /// The jobs have arrived, and this database is in use.
    Arrived,
}

/// What others may write while a move goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fence {
    /// Everything.
    Open,
    /// Only what ends running attempts.
    Draining,
    /// Nothing.
    Closed,
}

impl MovePhase {
    /// What others may write meanwhile.
    pub const fn fence(self) -> Fence {
        match self {
            Self::Arrived => Fence::Open,
            Self::Draining => Fence::Draining,
            Self::Frozen | Self::MovedAway | Self::Arriving | Self::Undoing => Fence::Closed,
        }
    }

    /// The word in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draining => "draining",
            Self::Frozen => "frozen",
            Self::MovedAway => "moved_away",
            Self::Arriving => "arriving",
            Self::Undoing => "undoing",
            Self::Arrived => "arrived",
        }
    }
}

impl MoveState {
    /// The same move in another phase.
    #[must_use]
    pub fn in_phase(&self, phase: MovePhase) -> Self {
        Self { phase, ..self.clone() }
    }

    /// The error of a call that the fence refuses. None if there is no fence.
    pub fn refusal(&self) -> Option<StoreError> {
        let is_final = self.phase == MovePhase::MovedAway;
        let message = self.to_string().into();
        (self.phase.fence() != Fence::Open).then_some(StoreError::Moving { message, is_final })
    }

    /// As it is stored.
    pub fn to_document(&self) -> String {
        serde_json::to_string(self).expect("it has only text, numbers and words")
    }

    /// What [`MoveState::to_document`] wrote; an error for what another program wrote.
    pub fn from_document(document: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(document)
    }
}

impl fmt::Display for MoveState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let other = &self.other;
        match self.phase {
            MovePhase::Draining | MovePhase::Frozen => {
                write!(f, "this queue is moving to {other}: nothing can be changed here until the move has ended")
            }
            MovePhase::MovedAway => write!(f, "this queue moved to {other}"),
            MovePhase::Arriving => {
                write!(f, "a queue is moving here from {other}: nothing can be changed until the move has ended")
            }
            MovePhase::Undoing => {
                write!(f, "a move from {other} to here is being undone: nothing can be changed until that has ended")
            }
            MovePhase::Arrived => write!(f, "this queue moved here from {other}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(phase: MovePhase) -> MoveState {
        MoveState {
            move_id: "m".into(),
            phase,
            other: "postgres://host/db".into(),
            begun_at: Timestamp::from_ms(1_700_000_000_000),
            takes_ended: true,
            has_settings: false,
            copied_to: Some(JobId(7)),
            before: None,
        }
    }

    #[test]
    fn a_state_is_read_as_it_was_written() {
        let before = Box::new(state(MovePhase::MovedAway));
        let written = MoveState { before: Some(before), ..state(MovePhase::Arriving) };
        assert_eq!(MoveState::from_document(&written.to_document()).unwrap(), written);
    }

    #[test]
    fn only_a_move_that_has_ended_elsewhere_is_final() {
        let is_final = |phase| match state(phase).refusal() {
            Some(StoreError::Moving { is_final, .. }) => Some(is_final),
            _ => None,
        };
        assert_eq!(is_final(MovePhase::Draining), Some(false));
        assert_eq!(is_final(MovePhase::Arriving), Some(false));
        assert_eq!(is_final(MovePhase::MovedAway), Some(true));
        assert_eq!(is_final(MovePhase::Arrived), None);
    }
}
