# Computes the checksum of one file.
#
# Payload: {"scan": 1, "path": "/absolute/path/of/the/file"}
# Result: {"sha256": "…", "line": "the line of a manifest"}
set -eu
. jobs/json.sh

payload=$(cat)
payload_field path

if [ ! -f "$path" ]; then
    echo "there is no file $path any more" >&2
    exit 66
fi
if [ ! -r "$path" ]; then
    echo "$path may not be read" >&2
    exit 77
fi

# sha256sum has its own rules for names with line ends and backslashes. It reads the line again at the end, so it
# must write it too.
line=$(sha256sum -- "$path") || exit 74
sha256=${line#\\}
sha256=${sha256%% *}
tell "{\"result\": {\"sha256\": \"$sha256\", \"line\": $(json_string "$line")}}"
