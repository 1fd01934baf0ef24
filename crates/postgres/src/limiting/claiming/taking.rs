use std::collections::{HashMap, HashSet};

use longshore_core::JobId;
use postgres_types::Type;

use super::LimitedClaim;
use super::admission::Chosen;
use super::head::{Head, PlainJob};
use super::locked::Locked;
use super::standing::{Limit, Opening};
use crate::jobs::claim::round::Round;
use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::sql::sql;
use crate::session::statements::Parameter;

impl Locked {
    /// The first ready jobs that stand in no lane, of the types that may start something.
    pub(super) async fn candidates(&self, claim: &LimitedClaim<'_>) -> Result<Vec<PlainJob>, Fault> {
        let LimitedClaim { values, rules, kinds, .. } = claim;
        let is_plain = |name: &&String| !self.closed_types.contains(name) && !kinds.keyed.contains(name);
        let types: Vec<&String> = values.job_types.iter().filter(is_plain).collect();
        let room_of = |name: &String| {
            let of = self.standing.limits.iter().find(|limit| !limit.is_queue && limit.name == *name);
            match of.map(|limit| limit.opening(self.standing.now)) {
                Some(Opening::Open(Some(room))) => i64::from(room.min(values.room())),
                _ => i64::from(values.room()),
            }
        };
        let rooms: Vec<i64> = types.iter().map(|name| room_of(name)).collect();
        let parameters: [Parameter<'_>; 5] = [
            (&types, Type::TEXT_ARRAY),
            (&rooms, Type::INT8_ARRAY),
            (&values.queues, Type::TEXT_ARRAY),
            (&values.rooms, Type::INT8_ARRAY),
            (&self.closed_queues, Type::TEXT_ARRAY),
        ];
        let mut candidates = Vec::new();
        for row in self.transaction.query(sql!("limiting/select_candidates"), &parameters).await? {
            let columns = &mut Columns::of(&row);
            let (job_type, queue): (String, String) = (columns.read()?, columns.read()?);
            let head = Head { rank: columns.read()?, again: columns.read()?, id: columns.read()? };
            let is_limited = rules.has_rule_for(&job_type, &queue);
            candidates.push(PlainJob { job_type, queue, head, is_limited });
        }
        Ok(candidates)
    }

    /// Takes what was chosen. The leases are in the order of the choice.
    pub(super) async fn take(&self, claim: &LimitedClaim<'_>, chosen: &[Chosen]) -> Result<Round, Fault> {
        let job_types: Vec<&str> = chosen.iter().map(|chosen| chosen.job_type.as_str()).collect();
        let queues: Vec<&str> = chosen.iter().map(|chosen| chosen.queue.as_str()).collect();
        let ranks: Vec<i32> = chosen.iter().map(|chosen| chosen.head.rank).collect();
        let agains: Vec<bool> = chosen.iter().map(|chosen| chosen.head.again).collect();
        let ids: Vec<i64> = chosen.iter().map(|chosen| chosen.head.id).collect();
        let are_laned: Vec<bool> = chosen.iter().map(|chosen| chosen.lane.is_some()).collect();
        let keys: Vec<Option<i64>> = chosen.iter().map(|chosen| self.lanes.key_of(chosen.lane?)).collect();
        let are_counted: Vec<bool> = chosen.iter().map(|chosen| chosen.is_limited).collect();
        let [worker, request_of] = claim.values.worker_and_request();
        let parameters = [
            worker,
            request_of,
            (&job_types as _, Type::TEXT_ARRAY),
            (&queues as _, Type::TEXT_ARRAY),
            (&ranks as _, Type::INT4_ARRAY),
            (&agains as _, Type::BOOL_ARRAY),
            (&ids as _, Type::INT8_ARRAY),
            (&are_laned as _, Type::BOOL_ARRAY),
            (&keys as _, Type::INT8_ARRAY),
            (&are_counted as _, Type::BOOL_ARRAY),
        ];
        let rows = self.transaction.query(sql!("limiting/take_jobs"), &parameters).await?;
        let mut round = Round::read(claim.parts, &claim.request.worker_id, &rows)?;
        let places: HashMap<JobId, usize> =
            chosen.iter().enumerate().map(|(place, chosen)| (JobId(chosen.head.id), place)).collect();
        round.leases.sort_by_key(|lease| places.get(&lease.id).copied());
        Ok(round)
    }

    /// Writes what the claim leaves of its limits, keys and lanes. Only what it really took counts.
    pub(super) async fn settle(&mut self, chosen: &[Chosen], round: &Round) -> Result<(), Fault> {
        let given: HashSet<i64> = round.leases.iter().map(|lease| lease.id.0).collect();
        let started: Vec<&Chosen> = chosen.iter().filter(|chosen| given.contains(&chosen.head.id)).collect();
        let claim_number = round.leases.first().map(|lease| lease.claim_number.0);
        let mut turns = self.standing.turns(&self.lanes.lanes);
        let before = turns.types.clone();
        for place in started.iter().filter_map(|chosen| chosen.lane) {
            turns.serve(place, &self.lanes.lanes[place]);
            self.lanes.start(place);
        }
        self.lanes.settle(&self.transaction, &turns.lanes, claim_number, self.standing.now).await?;
        self.settle_limits(&started, claim_number).await?;
        let raised = turns.types.iter().filter(|(name, turn)| before.get(*name) != Some(*turn));
        let (types, raised): (Vec<&str>, Vec<i64>) = raised.map(|(name, turn)| (name.as_str(), *turn)).unzip();
        if !types.is_empty() {
            let parameters: [Parameter<'_>; 2] = [(&types, Type::TEXT_ARRAY), (&raised, Type::INT8_ARRAY)];
            self.transaction.execute(sql!("limiting/raise_turns"), &parameters).await?;
        }
        Ok(())
    }

    async fn settle_limits(&mut self, started: &[&Chosen], claim_number: Option<i64>) -> Result<(), Fault> {
        let now = self.standing.now;
        let (mut limit_ids, mut arrivals, mut counted_from) = (Vec::new(), Vec::new(), Vec::new());
        for limit in self.standing.limits.iter_mut().filter(|limit| limit.has_numbers()) {
            let starts = started.iter().filter(|chosen| limit.is_of(chosen)).count();
            let starts = u32::try_from(starts).unwrap_or(u32::MAX);
            if starts == 0 {
                continue;
            }
            limit_ids.push(limit.limit_id);
            limit.running = limit.running.saturating_add(starts);
            limit.arrival = limit.rule.pace().map_or(limit.arrival, |pace| pace.after(limit.arrival, now, starts));
            arrivals.push(limit.arrival.0);
            counted_from.push(limit.first_claim.or(claim_number).unwrap_or(0));
        }
        if !limit_ids.is_empty() {
            let parameters: [Parameter<'_>; 3] =
                [(&limit_ids, Type::INT8_ARRAY), (&arrivals, Type::INT8_ARRAY), (&counted_from, Type::INT8_ARRAY)];
            self.transaction.execute(sql!("limiting/settle_limits"), &parameters).await?;
        }
        Ok(())
    }
}

impl Limit {
    fn is_of(&self, chosen: &Chosen) -> bool {
        let name = if self.is_queue { &chosen.queue } else { &chosen.job_type };
        *name == self.name
    }
}
