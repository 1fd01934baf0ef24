use std::collections::{BTreeSet, HashMap};

use longshore_core::{ClaimRequest, Lease, QueueScope};
use postgres_types::Type;

use super::lanes::KnownLanes;
use crate::limiting::claiming::Closed;
use crate::session::statements::Parameter;

/// A claim as the values of its statement, with the room that earlier rounds have left.
#[derive(Debug)]
pub(crate) struct ClaimValues {
    worker_id: String,
    request_id: i64,
    pub(crate) job_types: Vec<String>,
    room: i64,
    /// The room for jobs under a limit.
    limited_room: i64,
    /// None for all queues. Those without room are left out.
    pub(crate) queues: Option<Vec<String>>,
    pub(crate) rooms: Option<Vec<i64>>,
    known: KnownLanes,
    /// The types without those under a limit that lets nothing start, and the queues in which nothing starts.
    open_types: Vec<String>,
    closed_queues: Vec<String>,
    /// The version of the limits.
    version: i64,
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
        let job_types: Vec<String> = job_types.into_iter().cloned().collect();
        Self {
            worker_id: request.worker_id.as_str().to_owned(),
            request_id: request.request_id.0.cast_signed(),
            open_types: job_types.clone(),
            job_types,
            room: i64::from(request.limit),
            limited_room: i64::from(request.limited_max.min(request.limit)),
            queues,
            rooms,
            known: KnownLanes::default(),
            closed_queues: Vec::new(),
            version: 0,
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

    /// The same for jobs under a limit.
    pub(super) fn take_limited(&mut self, jobs: usize) {
        self.limited_room = (self.limited_room - i64::try_from(jobs).unwrap_or(i64::MAX)).max(0);
    }

    /// The limits that the next statement knows.
    pub(super) fn leave_out(&mut self, version: i64, closed: &Closed) {
        self.version = version;
        self.open_types = self.job_types.iter().filter(|name| !closed.types.contains(name)).cloned().collect();
        self.closed_queues.clone_from(&closed.queues);
    }

    pub(crate) fn room(&self) -> u32 {
        u32::try_from(self.room).unwrap_or(0)
    }

    pub(crate) fn limited_room(&self) -> u32 {
        u32::try_from(self.limited_room.min(self.room)).unwrap_or(0)
    }

    /// The room of each queue that earlier rounds have left.
    pub(crate) fn narrow(&self, rooms: &mut HashMap<String, u32>) {
        if let (Some(queues), Some(left)) = (&self.queues, &self.rooms) {
            let left = queues.iter().zip(left).map(|(queue, room)| (queue.clone(), u32::try_from(*room).unwrap_or(0)));
            rooms.extend(left);
        }
    }

    pub(crate) fn worker_and_request(&self) -> [Parameter<'_>; 2] {
        [(&self.worker_id, Type::TEXT), (&self.request_id, Type::INT8)]
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
            (&self.open_types, Type::TEXT_ARRAY),
            (&self.room, Type::INT8),
            (&self.queues, Type::TEXT_ARRAY),
            (&self.rooms, Type::INT8_ARRAY),
            (&self.known.job_types, Type::TEXT_ARRAY),
            (&self.known.queues, Type::TEXT_ARRAY),
            (&self.known.ranks, Type::INT4_ARRAY),
            (&self.known.lows, Type::INT8_ARRAY),
            (&self.version, Type::INT8),
            (&self.closed_queues, Type::TEXT_ARRAY),
        ]
    }

    pub(crate) fn next_due(&self) -> [Parameter<'_>; 2] {
        [(&self.job_types, Type::TEXT_ARRAY), (&self.queues, Type::TEXT_ARRAY)]
    }

    pub(super) fn given<'a>(&'a self, claim_numbers: &'a Option<Vec<i64>>) -> [Parameter<'a>; 3] {
        [(&self.worker_id, Type::TEXT), (&self.request_id, Type::INT8), (claim_numbers, Type::INT8_ARRAY)]
    }
}
