# JSON with awk only. The other scripts source it; they run in the directory above.

# Bytes, not characters: file names are bytes, and an awk with characters would change invalid ones.
LC_ALL=C
export LC_ALL

longshore=${LONGSHORE:-longshore}

# A string as JSON.
json_string() {
    awk -f jobs/json-string.awk -f jobs/json-string-main.awk -- "$1"
}

# Puts one field of the payload into the variable of the same name; a payload without it is invalid.
# $(…) removes line ends at the end, which can belong to a file name. The x keeps them.
payload_field() {
    field=$(printf '%s' "$payload" | awk -f jobs/json-flatten.awk |
        awk -v path=".$1" -f jobs/json-decode.awk -f jobs/json-field.awk && printf x) || {
        echo "the payload has no \"$1\"" >&2
        exit 65
    }
    eval "$1=\${field%x}"
}

# Sends a message to the queue; the argument is JSON.
tell() {
    printf '{"longshore": %s}\n' "$1"
}
