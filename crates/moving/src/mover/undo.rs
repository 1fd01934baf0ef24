use longshore_core::{MoveChange, MovePhase, MoveState};

use super::copy::FIRST;
use super::{Mover, Place};
use crate::error::MoveError;
use crate::report::UndoReport;

impl Mover {
    /// Gives the old database its queue back, and removes what has arrived in the new one. Not once the old one says that
    /// the queue has moved. May be repeated after an error or a kill.
    pub async fn undo(&self) -> Result<UndoReport, MoveError> {
        let states = self.states().await?;
        let fenced = states.from.filter(is_leaving);
        if let Some(state) = &fenced
            && state.phase == MovePhase::MovedAway
        {
            return Err(committed(&self.from, state));
        }
        let is_of_it = |there: &MoveState| match &fenced {
            Some(state) => there.move_id == state.move_id,
            None => there.other == self.from.name,
        };
        let is_arriving = |there: &MoveState| matches!(there.phase, MovePhase::Arriving | MovePhase::Undoing);
        let arriving = states.to.filter(|there| is_arriving(there) && is_of_it(there));
        if fenced.is_none() && arriving.is_none() {
            return Err(MoveError::NothingToUndo { from: self.from.name.clone() });
        }
        let mut removed = 0;
        let undoing = match arriving {
            Some(state) => {
                let undoing = state.in_phase(MovePhase::Undoing);
                // First, so that nobody carries on with the move once something is gone.
                self.change(&self.to, Some(state), Some(undoing.clone())).await?;
                removed = self.remove_arrived(&undoing).await?;
                Some(undoing)
            }
            None => None,
        };
        if let Some(state) = fenced {
            self.change(&self.from, Some(state.clone()), state.before.map(|before| *before)).await?;
        }
        if let Some(state) = undoing {
            self.change(&self.to, Some(state.clone()), state.before.map(|before| *before)).await?;
        }
        Ok(UndoReport { from: self.from.name.clone(), to: Some(self.to.name.clone()), removed })
    }

    async fn remove_arrived(&self, state: &MoveState) -> Result<u64, MoveError> {
        let kept_ended = state
            .before
            .as_ref()
            .is_some_and(|before| before.phase == MovePhase::MovedAway && !before.takes_ended && state.takes_ended);
        if !kept_ended {
            return self.clear(state, state.takes_ended).await;
        }
        // Ended jobs that had stayed here must stay, so the old database says what to remove.
        let (mut after, mut removed) = (FIRST, 0);
        let reached = state.copied_to.unwrap_or(FIRST);
        loop {
            let page = self.from.store.moved_jobs(self.page(after, state.takes_ended)).await?;
            let ids: Vec<_> = page.iter().map(|moved| moved.job.id).filter(|id| *id <= reached).collect();
            let Some(last) = ids.last() else { return Ok(removed) };
            after = *last;
            removed += ids.len() as u64;
            self.drop_jobs(state, ids).await?;
        }
    }

    /// Gives a database its queue back without the new one, which perhaps cannot be reached. That one stays closed, and
    /// keeps what has arrived, until the move is undone with it, too.
    pub async fn undo_without(from: &Place) -> Result<UndoReport, MoveError> {
        let nothing = || MoveError::NothingToUndo { from: from.name.clone() };
        let state = from.store.move_state().await?.filter(is_leaving).ok_or_else(nothing)?;
        if state.phase == MovePhase::MovedAway {
            return Err(committed(from, &state));
        }
        let before = state.before.clone().map(|before| *before);
        let (other, change) = (state.other.clone(), MoveChange { expected: Some(state), next: before });
        if !from.store.change_move_state(change).await? {
            return Err(MoveError::Raced { from: from.name.clone(), to: other });
        }
        Ok(UndoReport { from: from.name.clone(), to: None, removed: 0 })
    }
}

const fn is_leaving(state: &MoveState) -> bool {
    matches!(state.phase, MovePhase::Draining | MovePhase::Frozen | MovePhase::MovedAway)
}

fn committed(from: &Place, state: &MoveState) -> MoveError {
    MoveError::Committed { from: from.name.clone(), to: state.other.clone() }
}
