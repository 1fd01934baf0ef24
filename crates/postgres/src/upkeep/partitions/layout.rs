use longshore_core::{IdRange, JobId};
use postgres_types::Type;

use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::sql::{in_schema, sql};
use crate::session::statements::Session;

/// The tables that are divided by ids, with the same bounds in each, in the order in which they are locked: most
/// transactions that use several of them use them in this order.
pub(crate) const TABLES: [&str; 4] = ["ended", "log_chunk", "attempt", "job"];
/// How many ids the last but one partition has room for.
const ROOM: i64 = 1_000_000_000;
/// With more partitions than this none is added: every claim opens all of them.
const LEAVES_MAX: usize = 24;

/// A range of ids, which is a partition in each of [`TABLES`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leaf {
    /// What follows the name of the table.
    pub(crate) suffix: String,
    /// The first id; `i64::MIN` for the first partition.
    pub(crate) low: i64,
    /// The id behind the last one; `i64::MAX` for the last partition.
    pub(crate) high: i64,
}

/// The partitions in the order of their ids. The last two have room for what nobody expects: `spare` for far more jobs
/// than housekeeping knew of in time, and the one behind it for any other id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) leaves: Vec<Leaf>,
    /// The last id that the sequence has given out.
    pub(crate) last_id: i64,
}

/// Partitions that are needed soon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ahead {
    /// The spare partition gives its first ids to a partition of their own. It must be empty.
    Split { spare: Leaf, at: i64 },
    /// The last partition gives some ids to a new front: from `first` to before `next` for the next jobs, then a spare one.
    /// It must be nearly empty.
    Extend { last: Leaf, first: i64, next: i64 },
    /// The sequence goes on at the next partition, because the one in use would become far too large. It was the spare
    /// one, and got more jobs than anybody knew of in time.
    Jump { to: i64 },
}

impl Leaf {
    pub(crate) fn new(low: i64, high: i64, is_kept: bool) -> Self {
        let kept = if is_kept { KEPT } else { "" };
        Self { suffix: format!("_{}_{}{kept}", bound(low, "min"), bound(high, "max")), low, high }
    }

    pub(crate) fn name(&self, table: &str) -> String {
        format!("{table}{}", self.suffix)
    }

    /// Whether it was rewritten with the jobs that were left.
    pub(crate) fn is_kept(&self) -> bool {
        self.suffix.ends_with(KEPT)
    }

    /// Its bounds as SQL.
    pub(crate) fn values(&self) -> String {
        format!("FOR VALUES FROM ({}) TO ({})", bound(self.low, "MINVALUE"), bound(self.high, "MAXVALUE"))
    }
}

const KEPT: &str = "_kept";

fn bound(id: i64, otherwise: &str) -> String {
    if id == i64::MIN || id == i64::MAX { otherwise.to_owned() } else { id.to_string() }
}

impl Layout {
    /// `None` if these are not partitions of ours: somebody has made them otherwise.
    pub(crate) async fn read(session: &Session) -> Result<Option<Self>, Fault> {
        let jobs = in_schema("longshore.job", session.schema()).into_owned();
        let (mut leaves, mut last_id) = (Vec::new(), 0);
        for row in session.query(sql!("partitions/select_leaves"), &[(&jobs, Type::TEXT)]).await? {
            let columns = &mut Columns::of(&row);
            let name: String = columns.read()?;
            let (low, high): (Option<String>, Option<String>) = (columns.read()?, columns.read()?);
            last_id = columns.read()?;
            let Some(suffix) = name.strip_prefix("job").map(str::to_owned) else { return Ok(None) };
            let (Some(low), Some(high)) = (parsed(low, "MINVALUE", i64::MIN), parsed(high, "MAXVALUE", i64::MAX))
            else {
                return Ok(None);
            };
            leaves.push(Leaf { suffix, low, high });
        }
        leaves.sort_unstable_by_key(|leaf| leaf.low);
        let layout = Self { leaves, last_id };
        Ok(layout.is_whole().then_some(layout))
    }

    /// Whether every id has a place, and there are at least two partitions.
    fn is_whole(&self) -> bool {
        let (Some(first), Some(last)) = (self.leaves.first(), self.leaves.last()) else { return false };
        self.leaves.len() >= 2
            && first.low == i64::MIN
            && last.high == i64::MAX
            && self.leaves.windows(2).all(|pair| pair[0].high == pair[1].low)
    }

    /// Those whose ids were all given out, oldest first.
    pub(crate) fn closed(&self) -> impl Iterator<Item = &Leaf> {
        self.leaves.iter().filter(|leaf| leaf.high <= self.last_id)
    }

    /// The one before this one.
    pub(crate) fn below(&self, leaf: &Leaf) -> Option<&Leaf> {
        self.leaves.iter().find(|below| below.high == leaf.low)
    }

    /// What to do so that the next partition is there before its first job, with `step` ids in each.
    pub(crate) fn ahead(&self, step: i64) -> Option<Ahead> {
        let [.., spare, last] = self.leaves.as_slice() else { return None };
        if self.last_id >= last.low {
            // The ids of this database begin far away from those of others.
            return self.extend(last, IdRange::of(JobId(self.last_id)).before_first().max(last.low), step);
        }
        let current = self.leaves.iter().rfind(|leaf| leaf.low <= self.last_id)?;
        let used = self.last_id - current.low.max(0);
        if current.high <= spare.low {
            let can_jump = self.is_in_range(current.high) && current.high - self.last_id > 4 * step;
            if used >= step && can_jump {
                return Some(Ahead::Jump { to: current.high });
            }
        } else if used >= step && self.is_in_range(last.low) {
            return self.extend(last, last.low, step);
        }
        if spare.high.saturating_sub(spare.low) <= 2 * step && self.is_in_range(last.low) {
            return self.extend(last, last.low, step);
        }
        let is_near = self.last_id < spare.low && spare.low - self.last_id <= step / 2;
        (is_near && self.leaves.len() < LEAVES_MAX).then(|| Ahead::Split { spare: spare.clone(), at: spare.low + step })
    }

    fn extend(&self, last: &Leaf, first: i64, step: i64) -> Option<Ahead> {
        let next = self.last_id.max(first).checked_add(step)?;
        (self.leaves.len() < LEAVES_MAX).then(|| Ahead::Extend { last: last.clone(), first, next })
    }

    /// Whether this id belongs to the same database as the last one.
    fn is_in_range(&self, id: i64) -> bool {
        IdRange::of(JobId(id)) == IdRange::of(JobId(self.last_id))
    }
}

impl Ahead {
    /// The partition that is divided, and what it is divided into. What it has must belong to one of these.
    pub(crate) fn division(&self) -> Option<(&Leaf, Vec<Leaf>)> {
        match self {
            Self::Split { spare, at } => {
                Some((spare, vec![Leaf::new(spare.low, *at, false), Leaf::new(*at, spare.high, false)]))
            }
            Self::Extend { last, first, next } => {
                let mut bounds = vec![last.low, *first, *next, next.saturating_add(ROOM), last.high];
                bounds.dedup();
                Some((last, bounds.windows(2).map(|pair| Leaf::new(pair[0], pair[1], false)).collect()))
            }
            Self::Jump { .. } => None,
        }
    }
}

fn parsed(text: Option<String>, open: &str, otherwise: i64) -> Option<i64> {
    let text = text?;
    if text == open { Some(otherwise) } else { text.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: i64 = 1_000_000;

    fn layout(bounds: &[i64], last_id: i64) -> Layout {
        let leaves = bounds.windows(2).map(|pair| Leaf::new(pair[0], pair[1], false)).collect();
        Layout { leaves, last_id }
    }

    #[test]
    fn the_next_partition_is_made_when_half_of_the_ids_before_it_are_given() {
        let at = |last_id| layout(&[i64::MIN, STEP, ROOM, i64::MAX], last_id).ahead(STEP);
        assert_eq!(at(STEP / 2 - 1), None);
        let ahead = at(STEP / 2).expect("the spare partition is near");
        let (divided, parts) = ahead.division().expect("it is divided");
        let names: Vec<String> = parts.iter().map(|leaf| leaf.name("job")).collect();
        assert_eq!((divided.low, names), (STEP, vec!["job_1000000_2000000".into(), "job_2000000_1000000000".into()]));
    }

    #[test]
    fn a_spare_partition_with_many_jobs_is_closed_by_moving_the_sequence_behind_it() {
        let at = |last_id| layout(&[i64::MIN, STEP, ROOM, i64::MAX], last_id).ahead(STEP);
        assert_eq!(at(STEP + 5), None, "a few jobs do not matter");
        let ahead = at(3 * STEP).expect("it takes the place of partitions");
        let (divided, parts) = ahead.division().expect("it is divided");
        let values: Vec<String> = parts.iter().map(Leaf::values).collect();
        assert_eq!(divided.low, ROOM);
        assert_eq!(values[0], "FOR VALUES FROM (1000000000) TO (1001000000)");
        assert_eq!(values[2], "FOR VALUES FROM (2001000000) TO (MAXVALUE)");
        let bounds = [i64::MIN, STEP, ROOM, ROOM + STEP, 2 * ROOM + STEP, i64::MAX];
        assert_eq!(layout(&bounds, 3 * STEP).ahead(STEP), Some(Ahead::Jump { to: ROOM }));
        assert_eq!(layout(&bounds, ROOM - 1).ahead(STEP), None, "the next id is in the next partition");
        assert!(matches!(layout(&bounds, ROOM + STEP / 2).ahead(STEP), Some(Ahead::Split { .. })));
    }

    #[test]
    fn a_spare_partition_without_room_is_followed_by_a_new_one_without_a_jump() {
        let bounds = [i64::MIN, ROOM - 2 * STEP, ROOM, i64::MAX];
        let ahead = layout(&bounds, ROOM - 3 * STEP).ahead(STEP);
        assert!(matches!(ahead, Some(Ahead::Extend { .. })), "{ahead:?}");
    }

    #[test]
    fn a_database_with_another_range_of_ids_gets_its_partitions_there() {
        let first = IdRange::new(3).expect("it is low").before_first();
        let ahead =
            layout(&[i64::MIN, STEP, ROOM, i64::MAX], first + 9).ahead(STEP).expect("its jobs are in the last one");
        let (divided, parts) = ahead.division().expect("it is divided");
        let bounds: Vec<(i64, i64)> = parts.iter().map(|leaf| (leaf.low, leaf.high)).collect();
        let next = first + 9 + STEP;
        assert_eq!(divided.low, ROOM);
        assert_eq!(bounds, [(ROOM, first), (first, next), (next, next + ROOM), (next + ROOM, i64::MAX)]);
        let bounds = [i64::MIN, STEP, ROOM, first, next, next + ROOM, i64::MAX];
        assert_eq!(layout(&bounds, first + 9).ahead(STEP), None);
        assert!(matches!(layout(&bounds, next - 5).ahead(STEP), Some(Ahead::Split { .. })));
    }

    #[test]
    fn another_range_of_ids_and_too_many_partitions_change_nothing() {
        let last_range = IdRange::of(JobId(i64::MAX)).before_first();
        let far = layout(&[i64::MIN, STEP, last_range, i64::MAX], STEP + STEP).ahead(STEP);
        assert_eq!(far, None, "the ids of another database begin there");
        let many: Vec<i64> = [i64::MIN].into_iter().chain((1..24).map(|leaf| leaf * STEP)).chain([i64::MAX]).collect();
        assert_eq!(layout(&many, 22 * STEP - 1).ahead(STEP), None);
    }

    #[test]
    fn a_partition_is_closed_when_its_last_id_was_given() {
        let closed = |last_id| layout(&[i64::MIN, STEP, ROOM, i64::MAX], last_id).closed().count();
        assert_eq!((closed(STEP - 1), closed(STEP), closed(ROOM)), (0, 1, 2));
    }

    #[test]
    fn a_layout_with_a_hole_is_none_of_ours() {
        assert!(layout(&[i64::MIN, STEP, i64::MAX], 1).is_whole());
        assert!(!layout(&[0, STEP, i64::MAX], 1).is_whole());
        let mut holed = layout(&[i64::MIN, STEP, ROOM, i64::MAX], 1);
        holed.leaves.remove(1);
        assert!(!holed.is_whole());
    }
}
