# Flattens JSON: one line for each value that is no list and no object, its path and the value as it was written.
#
#     {"jobs": [{"id": 7, "tags": ["a\"b"]}]}   becomes   .jobs[0].id<TAB>7
#                                                         .jobs[0].tags[0]<TAB>"a\"b"
#
# A record is what stands between two quotes, so that long strings are never walked byte by byte.

BEGIN { RS = "\""; depth = 0; inside = 0 }

inside {
    text = text $0
    # A quote after an odd number of backslashes belongs to the string.
    if (match($0, /\\+$/) && RLENGTH % 2) {
        text = text "\""
        next
    }
    inside = 0
    if (kind[depth] == "{" && expects_key[depth]) {
        key[depth] = text
    } else {
        emit("\"" text "\"")
    }
    next
}

{
    walk($0)
    text = ""
    inside = 1
}

function walk(outside,    i, byte, literal) {
    for (i = 1; i <= length(outside); i++) {
        byte = substr(outside, i, 1)
        if (byte !~ /[][{}:, \t\r\n]/) {
            literal = literal byte
            continue
        }
        if (literal != "") { emit(literal); literal = "" }
        if (byte == "{" || byte == "[") {
            depth++
            kind[depth] = byte
            expects_key[depth] = 1
            position[depth] = 0
        } else if (byte == "}" || byte == "]") {
            depth--
        } else if (byte == ":") {
            expects_key[depth] = 0
        } else if (byte == ",") {
            expects_key[depth] = 1
            position[depth]++
        }
    }
    if (literal != "") { emit(literal) }
}

function emit(value,    path, level) {
    for (level = 1; level <= depth; level++) {
        path = path (kind[level] == "{" ? "." key[level] : "[" position[level] "]")
    }
    print path "\t" value
}
