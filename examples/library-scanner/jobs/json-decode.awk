# decode(value): the bytes of a JSON string; any other value as it is.

function decode(value,    out, at, escape) {
    if (value !~ /^"/) {
        return value
    }
    value = substr(value, 2, length(value) - 2)
    while ((at = index(value, "\\")) > 0) {
        out = out substr(value, 1, at - 1)
        escape = substr(value, at + 1, 1)
        if (escape == "u") {
            out = out character(substr(value, at + 2, 10))
            value = substr(value, at + 2 + consumed)
        } else {
            out = out single(escape)
            value = substr(value, at + 2)
        }
    }
    return out value
}

function single(escape) {
    if (escape == "n") { return "\n" }
    if (escape == "t") { return "\t" }
    if (escape == "r") { return "\r" }
    if (escape == "b") { return "\b" }
    if (escape == "f") { return "\f" }
    return escape
}

# The UTF-8 of XXXX or, beyond 16 bits, of XXXX\uXXXX; `consumed` says how much of it that was.
function character(digits,    code, low) {
    consumed = 4
    code = hex(substr(digits, 1, 4))
    if (code >= 55296 && code < 56320 && substr(digits, 5, 2) == "\\u") {
        low = hex(substr(digits, 7, 4))
        code = 65536 + (code - 55296) * 1024 + (low - 56320)
        consumed = 10
    }
    if (code < 128) { return sprintf("%c", code) }
    if (code < 2048) { return sprintf("%c", 192 + int(code / 64)) tail(code, 1) }
    if (code < 65536) { return sprintf("%c", 224 + int(code / 4096)) tail(code, 2) }
    return sprintf("%c", 240 + int(code / 262144)) tail(code, 3)
}

# The last `count` bytes of a character, six bits each.
function tail(code, count,    out) {
    while (count-- > 0) {
        out = sprintf("%c", 128 + code % 64) out
        code = int(code / 64)
    }
    return out
}

function hex(digits,    i, code) {
    for (i = 1; i <= length(digits); i++) {
        code = code * 16 + index("0123456789abcdef", tolower(substr(digits, i, 1))) - 1
    }
    return code
}
