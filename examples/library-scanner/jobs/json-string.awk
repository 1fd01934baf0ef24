# json_string(text): the text as a JSON string. Only what JSON demands is escaped.

function json_string_init(    code) {
    for (code = 1; code < 32; code++) {
        json_escape[sprintf("%c", code)] = sprintf("\\u%04x", code)
    }
    json_escape["\""] = "\\\""
    json_escape["\\"] = "\\\\"
}

function json_string(text,    out, i, byte) {
    if (text !~ /[\001-\037"\\]/) {
        return "\"" text "\""
    }
    for (i = 1; i <= length(text); i++) {
        byte = substr(text, i, 1)
        out = out ((byte in json_escape) ? json_escape[byte] : byte)
    }
    return "\"" out "\""
}

# JSON is UTF-8; a file name may be any bytes. Each character becomes a dot, so that what is left stays apart.
function is_utf8(text) {
    gsub(/[\302-\337][\200-\277]/, ".", text)
    gsub(/\340[\240-\277][\200-\277]/, ".", text)
    gsub(/[\341-\354\356\357][\200-\277][\200-\277]/, ".", text)
    gsub(/\355[\200-\237][\200-\277]/, ".", text)
    gsub(/\360[\220-\277][\200-\277][\200-\277]/, ".", text)
    gsub(/[\361-\363][\200-\277][\200-\277][\200-\277]/, ".", text)
    gsub(/\364[\200-\217][\200-\277][\200-\277]/, ".", text)
    return text !~ /[\200-\377]/
}
