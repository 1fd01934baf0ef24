use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

/// A struct that is read from an object alone.
///
/// What serde derives for a struct also reads a list of the values of its fields, so `[[7], null, false]` would be a
/// request to change job 7. Each struct of a request is read through this type, nested ones too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JsonObject<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for JsonObject<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(ObjectDeserializer(deserializer)).map(Self)
    }
}

/// Reads a struct with a visitor that refuses a list.
struct ObjectDeserializer<D>(D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for ObjectDeserializer<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_struct(name, fields, ObjectVisitor(visitor))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// The visitor of a struct without its way to read a list.
struct ObjectVisitor<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for ObjectVisitor<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(map)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<V::Value, A::Error> {
        Err(de::Error::invalid_type(Unexpected::Seq, &self))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::JsonObject;
    use crate::JobData;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        inner: Option<JsonObject<Inner>>,
        #[serde(default)]
        data: JobData,
    }

    #[derive(Debug, Deserialize)]
    struct Inner {
        number: u32,
    }

    fn read(text: &str) -> Result<Outer, String> {
        serde_json::from_str(text).map(|JsonObject(outer)| outer).map_err(|error| error.to_string())
    }

    #[test]
    fn an_object_is_read_with_what_is_in_it_as_it_was_written() {
        let outer = read(r#"{"inner": {"number": 7}, "data": [1.50]}"#).unwrap();
        assert_eq!((outer.inner.unwrap().0.number, outer.data.as_str()), (7, "[1.50]"));
        assert!(read(r#"{"inner": null}"#).unwrap().inner.is_none());
    }

    #[test]
    fn a_list_of_the_values_of_the_fields_is_refused() {
        for text in ["[null]", "[[7], {}]", "[]", r#"{"inner": [7]}"#] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with("invalid type: sequence, expected struct "), "{text}: {error}");
        }
        assert!(read(r#"{"x": 1}"#).unwrap_err().contains("unknown field"));
        assert!(read("7").unwrap_err().contains("expected struct Outer"));
    }
}
