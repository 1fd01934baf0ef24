use longshore_migrate::files::script::{Dialect, Token, tokens_in};

/// What `CREATE INDEX` says behind the method: its terms, and what is between them and its settings.
pub(super) struct IndexText {
    pub(super) terms: String,
    /// INCLUDE and NULLS NOT DISTINCT.
    pub(super) rest: Option<String>,
}

impl IndexText {
    /// Reads the statement as the server writes it.
    pub(super) fn read(definition: &str) -> Self {
        let tokens = tokens_in(Dialect::Postgres, definition);
        let joined = |tokens: &[Token<'_>]| tokens.iter().map(|token| token.text).collect::<String>().trim().to_owned();
        let using = tokens.iter().position(|token| token.is("using")).unwrap_or_default();
        let Some(open) = (using..tokens.len()).find(|at| tokens[*at].text == "(") else {
            return Self { terms: joined(&tokens), rest: None };
        };
        let close = closing(&tokens, open);
        let mut end = close + 1;
        while end < tokens.len() && !["with", "tablespace", "where"].iter().any(|word| tokens[end].is(word)) {
            // INCLUDE has brackets of its own, and a column of it may have any name.
            end = if tokens[end].text == "(" { closing(&tokens, end) + 1 } else { end + 1 };
        }
        let rest = joined(tokens.get(close + 1..end).unwrap_or_default());
        Self { terms: joined(&tokens[open + 1..close]), rest: (!rest.is_empty()).then_some(rest) }
    }
}

fn closing(tokens: &[Token<'_>], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    tokens.len().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_terms_of_an_index_are_told_from_its_settings() {
        let read = |text| {
            let IndexText { terms, rest } = IndexText::read(text);
            (terms, rest.unwrap_or_default())
        };
        let text = "CREATE UNIQUE INDEX i ON public.a USING btree (lower(b) DESC, \"where\") INCLUDE (c, \"with\") \
                    NULLS NOT DISTINCT WITH (fillfactor='70') WHERE (d > 0)";
        assert_eq!(
            read(text),
            ("lower(b) DESC, \"where\"".to_owned(), "INCLUDE (c, \"with\") NULLS NOT DISTINCT".to_owned())
        );
        assert_eq!(read("CREATE INDEX i ON a USING gin (b)").1, "");
    }
}
