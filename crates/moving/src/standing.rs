use longshore_core::{MovePhase, MoveState};

use crate::error::MoveError;
use crate::mover::Place;

/// How far a move is, by what both databases say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Neither takes part in a move. The new one may be where the queue came from.
    NotBegun,
    /// Only the new one is reserved.
    Reserved,
    /// The old one is fenced, and attempts may still end.
    Draining,
    /// Nothing changes in the old one any more.
    Frozen,
    /// The old one says that the queue has moved, and the new one is not open yet.
    Committed,
    /// All is done.
    Done,
}

impl Standing {
    /// Whether the old database is still in use.
    pub(crate) const fn is_open(&self) -> bool {
        matches!(self, Self::NotBegun | Self::Reserved)
    }
}

/// What both databases say.
#[derive(Clone, Debug)]
pub(crate) struct States {
    pub(crate) from: Option<MoveState>,
    pub(crate) to: Option<MoveState>,
}

impl States {
    /// How far the move between them is. An error if they take part in different moves.
    pub(crate) fn standing(&self, from: &Place, to: &Place) -> Result<Standing, MoveError> {
        match &self.from {
            None => self.before_fence(from, to),
            Some(state) => match state.phase {
                MovePhase::Arrived => self.before_fence(from, to),
                MovePhase::Draining => self.within(state, from, to, Standing::Draining),
                MovePhase::Frozen => self.within(state, from, to, Standing::Frozen),
                MovePhase::MovedAway => self.after_commit(state, from),
                MovePhase::Arriving | MovePhase::Undoing => Err(other_move(from, state)),
            },
        }
    }

    fn before_fence(&self, from: &Place, to: &Place) -> Result<Standing, MoveError> {
        let Some(state) = &self.to else { return Ok(Standing::NotBegun) };
        match state.phase {
            MovePhase::Arrived => Ok(Standing::NotBegun),
            MovePhase::MovedAway if self.is_return(state) => Ok(Standing::NotBegun),
            // The old one was opened again without this one, so what has arrived here is out of date.
            MovePhase::Arriving if state.other == from.name && has_arrived(state) => Err(being_undone(from, to)),
            MovePhase::Arriving if state.other == from.name => Ok(Standing::Reserved),
            MovePhase::Undoing if state.other == from.name => Err(being_undone(from, to)),
            _ => Err(other_move(to, state)),
        }
    }

    /// Whether the queue is in the old database because it moved there from the new one.
    fn is_return(&self, left: &MoveState) -> bool {
        self.from.as_ref().is_some_and(|arrived| arrived.move_id == left.move_id)
    }

    fn within(&self, state: &MoveState, from: &Place, to: &Place, then: Standing) -> Result<Standing, MoveError> {
        match &self.to {
            Some(there) if there.move_id == state.move_id => match there.phase {
                MovePhase::Arriving => Ok(then),
                MovePhase::Undoing => Err(being_undone(from, to)),
                _ => Err(other_move(to, there)),
            },
            _ => Err(other_move(from, state)),
        }
    }

    fn after_commit(&self, state: &MoveState, from: &Place) -> Result<Standing, MoveError> {
        match &self.to {
            Some(there) if there.move_id == state.move_id && there.phase == MovePhase::Arriving => {
                Ok(Standing::Committed)
            }
            Some(there) if there.move_id == state.move_id && there.phase == MovePhase::Arrived => Ok(Standing::Done),
            _ => Err(MoveError::Elsewhere { database: from.name.clone(), other: state.other.clone() }),
        }
    }
}

fn has_arrived(state: &MoveState) -> bool {
    state.has_settings || state.copied_to.is_some()
}

fn other_move(place: &Place, state: &MoveState) -> MoveError {
    MoveError::OtherMove { database: place.name.clone(), state: state.to_string() }
}

fn being_undone(from: &Place, to: &Place) -> MoveError {
    MoveError::BeingUndone { from: from.name.clone(), to: to.name.clone() }
}
