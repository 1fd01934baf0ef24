use std::error::Error;

use longshore_core::Timestamp;
use postgres_types::private::BytesMut;
use postgres_types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

/// An instant as PostgreSQL sends it: microseconds since 2000. The one place that converts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Instant(pub(crate) Timestamp);

/// From 1970 to 2000.
const EPOCH_MS: i64 = 946_684_800_000;

impl ToSql for Instant {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let microseconds = (self.0.as_ms() - EPOCH_MS).saturating_mul(1000);
        out.extend_from_slice(&microseconds.to_be_bytes());
        Ok(IsNull::No)
    }

    accepts!(TIMESTAMPTZ);
    to_sql_checked!();
}

impl FromSql<'_> for Instant {
    fn from_sql(_: &Type, raw: &[u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        let microseconds = i64::from_be_bytes(raw.try_into()?);
        // Other programs may write infinity, which is the end of the range here.
        let ms = microseconds.div_euclid(1000).saturating_add(EPOCH_MS);
        Ok(Self(Timestamp::from_ms(ms.clamp(Timestamp::MIN.as_ms(), Timestamp::MAX.as_ms()))))
    }

    accepts!(TIMESTAMPTZ);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_comes_back_as_it_went() {
        for ms in [0, 1, EPOCH_MS - 1, EPOCH_MS, EPOCH_MS + 1, 1_777_896_000_123, Timestamp::MAX.as_ms()] {
            let mut out = BytesMut::new();
            let instant = Instant(Timestamp::from_ms(ms));
            instant.to_sql(&Type::TIMESTAMPTZ, &mut out).expect("it has room");
            assert_eq!(Instant::from_sql(&Type::TIMESTAMPTZ, &out).expect("eight bytes"), instant, "{ms}");
        }
    }

    #[test]
    fn infinity_is_the_end_of_time() {
        let from = |microseconds: i64| Instant::from_sql(&Type::TIMESTAMPTZ, &microseconds.to_be_bytes());
        assert_eq!(from(i64::MAX).expect("eight bytes").0, Timestamp::MAX);
        assert_eq!(from(i64::MIN).expect("eight bytes").0, Timestamp::MIN);
    }
}
