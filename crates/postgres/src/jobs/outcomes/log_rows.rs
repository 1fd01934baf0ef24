use std::collections::BTreeMap;

use longshore_core::{ClaimNumber, JobId, LogChunk, WorkerId};
use postgres_types::Type;

use crate::session::sql::sql;
use crate::session::statements::{Call, Parameter};
use crate::session::text::storable;

/// New pieces of logs as the columns of the statements that write them. The statements check the fence themselves.
#[derive(Debug, Default)]
pub(super) struct LogRows {
    worker_id: String,
    dropped: Dropped,
    ids: Vec<i64>,
    claim_numbers: Vec<i64>,
    numbers: Vec<i32>,
    attempts: Vec<i32>,
    cut_bytes: Vec<i64>,
    texts: Vec<String>,
}

/// Ranges of pieces that others replace.
#[derive(Debug, Default)]
struct Dropped {
    ids: Vec<i64>,
    claim_numbers: Vec<i64>,
    firsts: Vec<i32>,
    behinds: Vec<i32>,
}

impl LogRows {
    /// How many statements write them.
    pub(super) const CALLS: usize = 2;

    pub(super) fn of(worker_id: &WorkerId) -> Self {
        Self { worker_id: worker_id.as_str().to_owned(), ..Self::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ids.is_empty() && self.dropped.ids.is_empty()
    }

    pub(super) fn push(&mut self, id: JobId, claim_number: ClaimNumber, attempt: u32, chunks: &[LogChunk]) {
        // All ranges are dropped before any piece is inserted, so what one piece of this call replaces of another one
        // is left out here.
        let mut kept: BTreeMap<u32, &LogChunk> = BTreeMap::new();
        for chunk in chunks {
            self.forget(id, claim_number, chunk);
            kept.retain(|number, _| !chunk.replaces.contains(number));
            kept.insert(chunk.number, chunk);
            if !chunk.replaces.is_empty() {
                self.dropped.ids.push(id.0);
                self.dropped.claim_numbers.push(claim_number.0);
                self.dropped.firsts.push(int(chunk.replaces.start));
                self.dropped.behinds.push(int(chunk.replaces.end));
            }
        }
        for (number, chunk) in kept {
            self.ids.push(id.0);
            self.claim_numbers.push(claim_number.0);
            self.numbers.push(int(number));
            self.attempts.push(int(attempt));
            self.cut_bytes.push(i64::try_from(chunk.cut_bytes).unwrap_or(i64::MAX));
            self.texts.push(storable(&chunk.text).into_owned());
        }
    }

    /// Leaves out what a piece replaces of an earlier report of the same call.
    fn forget(&mut self, id: JobId, claim_number: ClaimNumber, chunk: &LogChunk) {
        for place in (0..self.ids.len()).rev() {
            let number = u32::try_from(self.numbers[place]).unwrap_or(0);
            let is_replaced = number == chunk.number || chunk.replaces.contains(&number);
            if is_replaced && (self.ids[place], self.claim_numbers[place]) == (id.0, claim_number.0) {
                self.ids.remove(place);
                self.claim_numbers.remove(place);
                self.numbers.remove(place);
                self.attempts.remove(place);
                self.cut_bytes.remove(place);
                self.texts.remove(place);
            }
        }
    }

    pub(super) fn values(&self) -> [Vec<Parameter<'_>>; Self::CALLS] {
        let dropped = vec![
            (&self.worker_id as _, Type::TEXT),
            (&self.dropped.ids as _, Type::INT8_ARRAY),
            (&self.dropped.claim_numbers as _, Type::INT8_ARRAY),
            (&self.dropped.firsts as _, Type::INT4_ARRAY),
            (&self.dropped.behinds as _, Type::INT4_ARRAY),
        ];
        let inserted = vec![
            (&self.worker_id as _, Type::TEXT),
            (&self.ids as _, Type::INT8_ARRAY),
            (&self.claim_numbers as _, Type::INT8_ARRAY),
            (&self.numbers as _, Type::INT4_ARRAY),
            (&self.attempts as _, Type::INT4_ARRAY),
            (&self.cut_bytes as _, Type::INT8_ARRAY),
            (&self.texts as _, Type::TEXT_ARRAY),
        ];
        [dropped, inserted]
    }

    pub(super) fn calls<'a>(values: &'a [Vec<Parameter<'a>>; Self::CALLS]) -> [Call<'a>; Self::CALLS] {
        let [dropped, inserted] = values;
        [
            Call { sql: sql!("outcomes/drop_log_chunks"), parameters: dropped },
            Call { sql: sql!("outcomes/insert_log_chunks"), parameters: inserted },
        ]
    }
}

fn int(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(number: u32, replaces: std::ops::Range<u32>) -> LogChunk {
        LogChunk { number, text: format!("{number}"), cut_bytes: 0, replaces }
    }

    #[test]
    fn a_piece_that_a_later_one_of_the_same_call_replaces_is_not_written() {
        let mut rows = LogRows::of(&WorkerId::random());
        rows.push(JobId(1), ClaimNumber(2), 1, &[chunk(0, 0..0), chunk(1, 0..0), chunk(2, 1..2), chunk(2, 0..0)]);
        assert_eq!(rows.numbers, [0, 2]);
        assert_eq!((rows.dropped.firsts, rows.dropped.behinds), (vec![1], vec![2]));
    }
}
