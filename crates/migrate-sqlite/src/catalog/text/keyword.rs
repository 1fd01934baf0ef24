//! Which words of SQLite cannot be names without quotes.

/// The words that are never a name unless they are quoted: SQLite's keywords without those that "fall back" to a
/// name in its grammar (`%fallback ID` in parse.y). Sorted.
#[rustfmt::skip]
const RESERVED: [&str; 71] = [
    "add", "all", "alter", "and", "as", "autoincrement", "between", "case", "check", "collate", "commit",
    "constraint", "create", "cross", "current_date", "current_time", "current_timestamp", "default", "deferrable",
    "delete", "distinct", "drop", "else", "escape", "except", "exists", "filter", "foreign", "from", "full",
    "group", "having", "in", "index", "indexed", "inner", "insert", "intersect", "into", "is", "isnull", "join",
    "left", "limit", "natural", "not", "nothing", "notnull", "null", "on", "or", "order", "outer", "over",
    "primary", "references", "returning", "right", "select", "set", "table", "then", "to", "transaction", "union",
    "unique", "update", "using", "values", "when", "where",
];

/// Words that open, close or join expressions where they stand without quotes, though they could be names. Sorted.
const CLAUSES: [&str; 14] =
    ["asc", "begin", "by", "desc", "do", "end", "glob", "like", "match", "of", "offset", "recursive", "regexp", "with"];

/// Reserved words that begin an operand.
#[rustfmt::skip]
const OPERANDS: [&str; 7] = [
    "not", "case", "null", "exists", "current_date", "current_time", "current_timestamp",
];

/// Whether a word in lower case is a keyword that cannot be a name, or is not taken for one here.
pub(in crate::catalog) fn is_reserved(word: &str) -> bool {
    RESERVED.binary_search(&word).is_ok() || CLAUSES.binary_search(&word).is_ok()
}

/// Whether a word in lower case can begin an operand: a name, or one of the keywords that do.
pub(in crate::catalog) fn is_operand(word: &str) -> bool {
    !is_reserved(word) || OPERANDS.contains(&word)
}

/// Whether a word in lower case is an operator that is a function, too, where parentheses follow it.
pub(in crate::catalog) fn is_function(word: &str) -> bool {
    matches!(word, "like" | "glob" | "match" | "regexp")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_lists_are_sorted_for_the_search() {
        assert!(RESERVED.is_sorted());
        assert!(CLAUSES.is_sorted());
    }
}
