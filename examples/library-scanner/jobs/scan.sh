# Enqueues one checksum job for each file of a directory, and the report that gathers them.
#
# Payload: {"directory": "/absolute/path", "manifest": "/where/to/write/it"}
set -eu
. jobs/json.sh

payload=$(cat)
payload_field directory
payload_field manifest

if [ ! -d "$directory" ]; then
    echo "$directory is no directory" >&2
    exit 66
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The names reach awk as arguments, so that no character in them can end a line. A directory that cannot be read
# fails the scan: a manifest with holes would look like a whole one.
if ! find "$directory" -type f -exec awk -v scan="$LONGSHORE_JOB_ID" \
    -f jobs/json-string.awk -f jobs/checksum-jobs.awk {} + > "$scratch/jobs" 2> "$scratch/complaints"; then
    cat "$scratch/complaints" >&2
    exit 74
fi
cat "$scratch/complaints" >&2

files=$(wc -l < "$scratch/jobs")
skipped=$(wc -l < "$scratch/complaints")
printf '{"job_type": "report", "job_data": {"scan": %s, "manifest": %s}, "unique_key": "report-%s", "delay": "1s"}\n' \
    "$LONGSHORE_JOB_ID" "$(json_string "$manifest")" "$LONGSHORE_JOB_ID" >> "$scratch/jobs"

# One transaction: all of the jobs are there, or this attempt failed and the next one begins anew.
"$longshore" enqueue --batch - < "$scratch/jobs"
tell "{\"result\": {\"files\": $((files)), \"skipped\": $((skipped))}}"
