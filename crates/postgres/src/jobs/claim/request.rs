use std::collections::BTreeSet;

use longshore_core::{ClaimRequest, Lease, QueueScope};
use postgres_types::Type;

use super::lanes::KnownLanes;
use crate::session::statements::Parameter;

/// A claim as the values of its statement, with the room that earlier rounds have left.
#[derive(Debug)]
pub(super) struct ClaimValues {
    worker_id: String,
    request_id: i64,
    pub(super) job_types: Vec<String>,
    room: i64,
    /// None for all queues. Those without room are left out.
    pub(super) queues: Option<Vec<String>>,
    rooms: Option<Vec<i64>>,
    known: KnownLanes,
}

impl ClaimValues {
    pub(super) fn of(request: &ClaimRequest) -> Self {
        // A type that is given twice counts once. Otherwise its jobs would be chosen twice.
        let job_types: BTreeSet<&String> = request.job_types.iter().collect();
        let (queues, rooms) = match &request.scope {
            QueueScope::All => (None, None),
            QueueScope::Only(limits) => {
                let open = limits.iter().filter(|limit| limit.limit > 0);
                let (queues, rooms) = open.map(|limit| (limit.queue.clone(), i64::from(limit.limit))).unzip();
                (Some(queues), Some(rooms))
            }
        };
        Self {
            worker_id: request.worker_id.as_str().to_owned(),
            request_id: request.request_id.0.cast_signed(),
            job_types: job_types.into_iter().cloned().collect(),
            room: i64::from(request.limit),
            queues,
            rooms,
            known: KnownLanes::default(),
        }
    }

    /// What an earlier round has got leaves less room.
    pub(super) fn take(&mut self, leases: &[Lease]) {
        for lease in leases {
            self.room -= 1;
            if let (Some(queues), Some(rooms)) = (&self.queues, &mut self.rooms)
                && let Some(place) = queues.iter().position(|queue| *queue == lease.queue)
            {
                rooms[place] -= 1;
            }
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.room > 0
    }

    pub(super) fn know(&mut self, known: KnownLanes) {
        self.known = known;
    }

    pub(super) fn known(&self) -> &KnownLanes {
        &self.known
    }

    pub(super) fn claim(&self) -> Vec<Parameter<'_>> {
        vec![
            (&self.worker_id, Type::TEXT),
            (&self.request_id, Type::INT8),
            (&self.job_types, Type::TEXT_ARRAY),
            (&self.room, Type::INT8),
            (&self.queues, Type::TEXT_ARRAY),
            (&self.rooms, Type::INT8_ARRAY),
            (&self.known.job_types, Type::TEXT_ARRAY),
            (&self.known.queues, Type::TEXT_ARRAY),
            (&self.known.ranks, Type::INT4_ARRAY),
            (&self.known.lows, Type::INT8_ARRAY),
        ]
    }

    pub(super) fn next_due(&self) -> [Parameter<'_>; 2] {
        [(&self.job_types, Type::TEXT_ARRAY), (&self.queues, Type::TEXT_ARRAY)]
    }

    pub(super) fn given<'a>(&'a self, claim_numbers: &'a Option<Vec<i64>>) -> [Parameter<'a>; 3] {
        [(&self.worker_id, Type::TEXT), (&self.request_id, Type::INT8), (claim_numbers, Type::INT8_ARRAY)]
    }
}
