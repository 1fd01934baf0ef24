use longshore_migrate::target::Value;
use tokio_postgres::{SimpleQueryMessage, SimpleQueryRow, types::Type};

use crate::wire::{Fault, Wire};

/// Every row of a query. Numbers, truths and bytes are what they are; everything else is text as the server writes it.
pub(super) fn rows(wire: &Wire, sql: &str) -> Result<Vec<Vec<Value>>, Fault> {
    let types = wire.types(sql)?;
    let answers = wire.simple(sql)?;
    let rows = answers.iter().filter_map(|answer| match answer {
        SimpleQueryMessage::Row(row) => Some(values(row, &types)),
        _ => None,
    });
    Ok(rows.collect())
}

fn values(row: &SimpleQueryRow, types: &[Type]) -> Vec<Value> {
    types
        .iter()
        .enumerate()
        .map(|(at, of_type)| row.try_get(at).ok().flatten().map_or(Value::Null, |text| value(text, of_type)))
        .collect()
}

fn value(text: &str, of_type: &Type) -> Value {
    let read = match *of_type {
        Type::BOOL => Some(Value::Integer(i64::from(text == "t"))),
        Type::INT2 | Type::INT4 | Type::INT8 | Type::OID => text.parse().ok().map(Value::Integer),
        Type::FLOAT4 | Type::FLOAT8 => text.parse().ok().map(Value::Real),
        Type::BYTEA => bytes(text).map(Value::Blob),
        _ => None,
    };
    read.unwrap_or_else(|| Value::Text(text.to_owned()))
}

/// `\x00ff`.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("\\x")?;
    let pair = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    (0..digits.len()).step_by(2).map(pair).collect()
}
