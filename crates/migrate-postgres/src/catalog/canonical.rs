use longshore_migrate::files::script::{Dialect, Token, tokens_in};

/// A dump writes the cast of an array as it was given, `(ARRAY[a, b])::t[]`; restored it is a cast of each element,
/// `ARRAY[(a)::t, (b)::t]`. Both mean the same, and everything else PostgreSQL writes out in one form.
pub(super) fn canonical(text: &str) -> String {
    let mut text = text.to_owned();
    while let Some(next) = without_one_cast(&text) {
        text = next;
    }
    text
}

fn without_one_cast(text: &str) -> Option<String> {
    if !text.contains("(ARRAY[") {
        return None;
    }
    let tokens = tokens_in(Dialect::Postgres, text);
    let at = (0..tokens.len()).find_map(|at| array_cast(&tokens, at).map(|cast| (at, cast)))?;
    let (start, cast) = at;
    let joined = |tokens: &[Token<'_>]| tokens.iter().map(|token| token.text).collect::<String>();
    let elements: Vec<String> =
        cast.elements.iter().map(|one| format!("({})::{}", joined(one).trim(), cast.of_type.trim())).collect();
    Some(format!("{}ARRAY[{}]{}", joined(&tokens[..start]), elements.join(", "), joined(&tokens[cast.end..])))
}

struct ArrayCast<'a> {
    elements: Vec<&'a [Token<'a>]>,
    of_type: String,
    /// The place behind it.
    end: usize,
}

/// `(ARRAY[…])::type[]` at that place.
fn array_cast<'a>(tokens: &'a [Token<'a>], at: usize) -> Option<ArrayCast<'a>> {
    let is = |at: usize, text: &str| tokens.get(at).is_some_and(|token| token.text == text);
    if !(is(at, "(") && is(at + 1, "ARRAY") && is(at + 2, "[")) {
        return None;
    }
    let mut depth = 0_usize;
    let mut begin = at + 3;
    let mut elements = Vec::new();
    let mut place = begin;
    loop {
        match tokens.get(place)?.text {
            "]" if depth == 0 => break,
            "(" | "[" => depth += 1,
            ")" | "]" => depth = depth.checked_sub(1)?,
            "," if depth == 0 => {
                elements.push(&tokens[begin..place]);
                begin = place + 1;
            }
            _ => {}
        }
        place += 1;
    }
    elements.push(&tokens[begin..place]);
    if !(is(place + 1, ")") && is(place + 2, ":") && is(place + 3, ":")) {
        return None;
    }
    let from = place + 4;
    let brackets = (from..tokens.len()).find(|at| is(*at, "["))?;
    let is_type = |token: &Token<'_>| !matches!(token.text, ")" | "," | "=" | "'" | "<" | ">" | "]");
    if !is(brackets + 1, "]") || !tokens[from..brackets].iter().all(is_type) {
        return None;
    }
    let of_type = tokens[from..brackets].iter().map(|token| token.text).collect();
    Some(ArrayCast { elements, of_type, end: brackets + 2 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cast_of_an_array_is_one_of_its_elements() {
        let given = "((status)::text = ANY ((ARRAY['a]'::character varying, 'b'::character varying])::text[]))";
        let restored =
            "((status)::text = ANY (ARRAY[('a]'::character varying)::text, ('b'::character varying)::text]))";
        assert_eq!(canonical(given), restored);
        assert_eq!(canonical(restored), restored);
    }

    #[test]
    fn everything_else_stays() {
        for text in ["(a = ANY (ARRAY[1, 2]))", "((ARRAY[1])[1] = a)", "'(ARRAY[1])::text[]'::text", "(ARRAY["] {
            assert_eq!(canonical(text), text);
        }
    }
}
