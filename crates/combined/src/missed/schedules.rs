use longshore_core::{ApplySchedules, ScheduleDefinition};

use crate::missed::Backlog;

impl Backlog for Vec<ApplySchedules> {
    type Apply = ApplySchedules;

    fn push(&mut self, apply: &ApplySchedules) {
        Vec::push(self, apply.clone());
    }

    fn supersede(&mut self, later: &ApplySchedules) {
        keep(self, |schedule| !later.definitions.iter().any(|known| known.name == schedule.name));
    }

    fn remove(&mut self, told: &ApplySchedules) {
        keep(self, |schedule| !told.definitions.contains(schedule));
    }

    fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }
}

fn keep(applies: &mut Vec<ApplySchedules>, is_kept: impl Fn(&ScheduleDefinition) -> bool) {
    applies.iter_mut().for_each(|apply| apply.definitions.retain(&is_kept));
    applies.retain(|apply| !apply.definitions.is_empty());
}
