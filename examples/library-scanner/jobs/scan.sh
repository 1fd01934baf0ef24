# Enqueues a batch: one checksum job for each file of a directory, and the report that runs when all of them have ended.
#
# Payload: {"directory": "/absolute/path", "manifest": "/where/to/write/it"}
set -eu
. jobs/json.sh

payload=$(cat)
payload_field directory
payload_field manifest

if [ ! -d "$directory" ]; then
    echo "$directory is not a directory" >&2
    exit 66
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

printf '{"batch": {"name": "scan %s"}}\n' "$LONGSHORE_JOB_ID" > "$scratch/jobs"
# The names reach awk as arguments, so that no character in them can end a line. A directory that cannot be read
# fails the scan: an incomplete manifest would look complete.
if ! find "$directory" -type f -exec awk -v scan="$LONGSHORE_JOB_ID" \
    -f jobs/json-string.awk -f jobs/checksum-jobs.awk {} + >> "$scratch/jobs" 2> "$scratch/complaints"; then
    cat "$scratch/complaints" >&2
    exit 74
fi
cat "$scratch/complaints" >&2

files=$(($(wc -l < "$scratch/jobs") - 1))
skipped=$(wc -l < "$scratch/complaints")
printf '{"job_type": "report", "job_data": {"scan": %s, "manifest": %s}, "unique_key": "report-%s", "after": [{"batch": "ended"}]}\n' \
    "$LONGSHORE_JOB_ID" "$(json_string "$manifest")" "$LONGSHORE_JOB_ID" >> "$scratch/jobs"

# One transaction: either all of the jobs exist, or this attempt fails and the next one starts again.
"$longshore" enqueue --batch - < "$scratch/jobs"
tell "{\"result\": {\"files\": $files, \"skipped\": $((skipped))}}"
