use serde_json::{Value, json};

/// What the document of the API says of a route.
#[derive(Default)]
pub(crate) struct Words {
    pub(crate) summary: &'static str,
    pub(crate) query: Vec<Parameter>,
    pub(crate) headers: Vec<Parameter>,
    pub(crate) body: Option<Body>,
    pub(crate) status: u16,
    /// The name of a schema, or empty for a page or a stream.
    pub(crate) answer: &'static str,
    /// When the same answer has the status 200 instead.
    pub(crate) otherwise_200: Option<&'static str>,
    /// The statuses of errors that do not follow from its method and its path.
    pub(crate) errors: &'static [&'static str],
}

/// A body of JSON: one of these schemas.
#[derive(Clone, Copy)]
pub(crate) struct Body {
    pub(crate) schemas: &'static [&'static str],
    pub(crate) is_required: bool,
}

/// A parameter of a query, or a header.
#[derive(Clone)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) is_required: bool,
    pub(crate) schema: Value,
}

impl Parameter {
    /// A whole number within its bounds.
    pub(crate) fn number(name: &'static str, about: &'static str, bounds: std::ops::RangeInclusive<u32>) -> Self {
        Self {
            name,
            about,
            is_required: false,
            schema: json!({ "type": "integer", "minimum": bounds.start(), "maximum": bounds.end() }),
        }
    }

    /// One that must be given.
    pub(crate) fn required(self) -> Self {
        Self { is_required: true, ..self }
    }

    /// Yes or no.
    pub(crate) fn flag(name: &'static str, about: &'static str) -> Self {
        Self { name, about, is_required: false, schema: json!({ "type": "boolean" }) }
    }

    /// One word.
    pub(crate) fn text(name: &'static str, about: &'static str) -> Self {
        Self { name, about, is_required: false, schema: json!({ "type": "string", "maxLength": 1000 }) }
    }

    /// An instant.
    pub(crate) fn instant(name: &'static str, about: &'static str) -> Self {
        Self { name, about, is_required: false, schema: json!({ "type": "string", "format": "date-time" }) }
    }

    /// Some of these words.
    pub(crate) fn words<'a>(name: &'static str, about: &'static str, words: impl IntoIterator<Item = &'a str>) -> Self {
        let words: Vec<&str> = words.into_iter().collect();
        Self {
            name,
            about,
            is_required: false,
            schema: json!({ "type": "array", "items": { "type": "string", "enum": words } }),
        }
    }

    /// Some names, each as a parameter of its own.
    pub(crate) fn names(name: &'static str, about: &'static str) -> Self {
        Self { name, about, is_required: false, schema: json!({ "type": "array", "items": { "type": "string" } }) }
    }
}
