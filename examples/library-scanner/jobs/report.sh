# Writes the manifest of a scan. It runs when every checksum job of the scan has ended.
#
# Payload: {"scan": 1, "manifest": "/where/to/write/it"}
set -eu
. jobs/json.sh

payload=$(cat)
payload_field scan
payload_field manifest

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The jobs come newest first, a page at a time. Those of this scan are younger than the scan itself.
cursor=
: > "$scratch/lines"
: > "$scratch/failed"
while :; do
    "$longshore" jobs list --json --type checksum --limit 1000 ${cursor:+--after "$cursor"} > "$scratch/page"
    awk -f jobs/json-flatten.awk "$scratch/page" |
        awk -v scan="$scan" -f jobs/json-decode.awk -f jobs/report-page.awk > "$scratch/found"
    sed -n 's/^line //p' "$scratch/found" >> "$scratch/lines"
    sed -n 's/^failed //p' "$scratch/found" >> "$scratch/failed"
    cursor=$(sed -n 's/^next //p' "$scratch/found")
    [ -n "$cursor" ] || break
done

# A scan that was killed and retried may have enqueued a file twice.
sort -u "$scratch/lines" | sort -k 2 > "$manifest.part"
mv -- "$manifest.part" "$manifest"

if [ -s "$scratch/failed" ]; then
    echo 'not in the manifest, because their jobs did not complete:'
    cat "$scratch/failed"
fi
files=$(wc -l < "$manifest")
failed=$(wc -l < "$scratch/failed")
tell '{"progress": 1}'
tell "{\"result\": {\"manifest\": $(json_string "$manifest"), \"files\": $((files)), \"failed\": $((failed))}}"
