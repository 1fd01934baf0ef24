use std::borrow::{Borrow, Cow};
use std::rc::Rc;
use std::time::Duration;

use longshore_core::{JobData, JobId, Priority, Status, Timestamp, fractional_seconds};
use rusqlite::Row;
use rusqlite::types::{ToSql, ToSqlOutput, Value, ValueRef};

/// Reads the columns of a row one after the other, in the order in which the statement names them. No position is
/// written down, so a column more is one line in the reader, where it stands in the statement.
pub(crate) struct Columns<'r, 's> {
    row: &'r Row<'s>,
    next: usize,
}

impl<'r, 's> Columns<'r, 's> {
    pub(crate) const fn of(row: &'r Row<'s>) -> Self {
        Self { row, next: 0 }
    }

    /// The next column, as one of the functions below reads it.
    pub(crate) fn read<T>(&mut self, read: impl FnOnce(&Row<'s>, usize) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let index = self.next;
        self.next += 1;
        read(self.row, index)
    }
}

/// Reads text from a column that any program may have written. Every value is converted to the nearest text, so that
/// one unusual row never stops a claim.
pub(crate) fn text(row: &Row<'_>, index: usize) -> rusqlite::Result<String> {
    Ok(optional_text(row, index)?.unwrap_or_default())
}

/// The same, without a copy of what is text.
pub(crate) fn borrowed_text<'row>(row: &'row Row<'_>, index: usize) -> rusqlite::Result<Cow<'row, str>> {
    Ok(match row.get_ref(index)? {
        ValueRef::Text(bytes) => String::from_utf8_lossy(bytes),
        _ => Cow::Owned(text(row, index)?),
    })
}

/// Text, with invalid UTF-8 replaced.
pub(crate) fn optional_text(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<String>> {
    Ok(match row.get_ref(index)? {
        ValueRef::Null => None,
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => Some(number.to_string()),
    })
}

/// A name as stored. Any program may write text that is not UTF-8, and a scan that continues after such a name must
/// compare its exact bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct RawName(Vec<u8>);

impl RawName {
    pub(crate) fn of(name: &str) -> Self {
        Self(name.as_bytes().to_vec())
    }

    /// The name, if it is valid UTF-8.
    pub(crate) fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// The name with invalid UTF-8 replaced, for people.
    pub(crate) fn shown(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }

    /// The smallest greater name.
    pub(crate) fn successor(mut self) -> Self {
        self.0.push(0);
        self
    }
}

impl Borrow<[u8]> for RawName {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl From<&[u8]> for RawName {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl ToSql for RawName {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Text(&self.0)))
    }
}

pub(crate) fn raw_name(row: &Row<'_>, index: usize) -> rusqlite::Result<RawName> {
    Ok(match row.get_ref(index)? {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => RawName(bytes.to_vec()),
        // Name columns have the affinity TEXT, so the only other value is NULL.
        _ => RawName(text(row, index)?.into_bytes()),
    })
}

pub(crate) fn data(row: &Row<'_>, index: usize) -> rusqlite::Result<JobData> {
    Ok(JobData::from_stored(text(row, index)?))
}

pub(crate) fn optional_data(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<JobData>> {
    Ok(optional_text(row, index)?.map(JobData::from_stored))
}

/// An integer; zero for a value that is not a number.
pub(crate) fn integer(row: &Row<'_>, index: usize) -> rusqlite::Result<i64> {
    Ok(optional_integer(row, index)?.unwrap_or(0))
}

pub(crate) fn optional_integer(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<i64>> {
    Ok(match row.get_ref(index)? {
        ValueRef::Integer(number) => Some(number),
        // The nearest integer; `as` saturates.
        ValueRef::Real(number) => Some(number as i64),
        ValueRef::Null | ValueRef::Text(_) | ValueRef::Blob(_) => None,
    })
}

/// A count, limited to the range of `u32`.
pub(crate) fn count(row: &Row<'_>, index: usize) -> rusqlite::Result<u32> {
    Ok(u32::try_from(integer(row, index)?.max(0)).unwrap_or(u32::MAX))
}

/// A count, if there is one.
pub(crate) fn optional_count(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<u32>> {
    let count = optional_integer(row, index)?;
    Ok(count.map(|count| u32::try_from(count.max(0)).unwrap_or(u32::MAX)))
}

/// A large count or size.
pub(crate) fn size(row: &Row<'_>, index: usize) -> rusqlite::Result<u64> {
    Ok(u64::try_from(integer(row, index)?).unwrap_or(0))
}

pub(crate) fn priority(row: &Row<'_>, index: usize) -> rusqlite::Result<Priority> {
    let number = integer(row, index)?.clamp(i64::from(i32::MIN), i64::from(i32::MAX));
    Ok(Priority(i32::try_from(number).expect("it was clamped to this range")))
}

pub(crate) fn id(row: &Row<'_>, index: usize) -> rusqlite::Result<JobId> {
    row.get(index).map(JobId)
}

pub(crate) fn timestamp(row: &Row<'_>, index: usize) -> rusqlite::Result<Timestamp> {
    Ok(Timestamp::from_ms(integer(row, index)?))
}

pub(crate) fn optional_timestamp(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(optional_integer(row, index)?.map(Timestamp::from_ms))
}

/// Seconds, possibly with a fraction, as a duration.
pub(crate) fn optional_seconds(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<Duration>> {
    Ok(match row.get_ref(index)? {
        ValueRef::Integer(seconds) => u64::try_from(seconds).ok().map(Duration::from_secs),
        ValueRef::Real(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        ValueRef::Null | ValueRef::Text(_) | ValueRef::Blob(_) => None,
    })
}

/// Seconds: an integer for whole seconds, as in the column, else a fraction.
pub(crate) fn seconds(span: Duration) -> Value {
    match i64::try_from(span.as_secs()) {
        Ok(seconds) if span.subsec_nanos() == 0 => Value::Integer(seconds),
        _ => Value::Real(fractional_seconds(span)),
    }
}

/// A status. A CHECK constraint allows only known words. Any other word is read as `dead_letter`, because such a job is
/// given up.
pub(crate) fn status(row: &Row<'_>, index: usize) -> rusqlite::Result<Status> {
    Ok(text(row, index)?.parse().unwrap_or(Status::DeadLetter))
}

pub(crate) fn optional_status(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<Status>> {
    Ok(optional_text(row, index)?.map(|word| word.parse().unwrap_or(Status::DeadLetter)))
}

/// A number; `None` for any other value.
pub(crate) fn optional_real(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<f64>> {
    Ok(match row.get_ref(index)? {
        ValueRef::Integer(number) => Some(number as f64),
        ValueRef::Real(number) => Some(number),
        ValueRef::Null | ValueRef::Text(_) | ValueRef::Blob(_) => None,
    })
}

/// Milliseconds for an integer column.
pub(crate) fn milliseconds(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

/// Ids for `rarray(?)`.
pub(crate) fn ids(ids: impl Iterator<Item = JobId>) -> Rc<Vec<Value>> {
    Rc::new(ids.map(|id| Value::Integer(id.0)).collect())
}
