#!/bin/sh
# Scans a directory with Longshore and checks the resulting manifest.
#
# usage: ./run.sh DIRECTORY [MANIFEST]
#
# The database and, unless it is given, the manifest go to a new directory under /tmp, or to $LIBRARY_SCAN.
set -eu

if [ $# -lt 1 ] || [ $# -gt 2 ] || [ ! -d "$1" ]; then
    echo "usage: $0 DIRECTORY [MANIFEST]" >&2
    exit 2
fi

# The whole path of something in a directory that exists. The x keeps line ends at the end of a name.
whole_path() {
    (cd -- "$1" && pwd -P && printf x)
}

here=$(cd -- "$(dirname -- "$0")" && pwd -P)
directory=$(whole_path "$1")
directory=${directory%?x}
scan_directory=${LIBRARY_SCAN:-$(mktemp -d "${TMPDIR:-/tmp}/library-scan.XXXXXX")}
mkdir -p -- "$scan_directory"
scan_directory=$(whole_path "$scan_directory")
scan_directory=${scan_directory%?x}
manifest=${2:-$scan_directory/manifest.sha256}
case $manifest in /*) ;; *) manifest=$PWD/$manifest ;; esac

case $scan_directory/ in "$directory"/*)
    echo "the database would be scanned itself: set LIBRARY_SCAN to a directory outside of $directory" >&2
    exit 2
    ;;
esac

# The program in $LONGSHORE, or that of this source tree, which is built first.
find_longshore() {
    longshore=${LONGSHORE:-}
    if [ -z "$longshore" ]; then
        echo '== building longshore; the first time this takes some minutes' >&2
        (cd -- "$here/../.." && cargo build --release --package longshore-cli >&2) || exit 1
        longshore=${CARGO_TARGET_DIR:-$here/../../target}/release/longshore
    fi
    (cd -- "$(dirname -- "$longshore")" && printf '%s/%s\n' "$(pwd -P)" "$(basename -- "$longshore")")
}

# Everything below, including the jobs, uses this database and this program.
LONGSHORE=$(find_longshore)
LONGSHORE_DATABASE=sqlite:$scan_directory/library.db
LONGSHORE_CONFIG=$here/longshore.toml
export LONGSHORE LONGSHORE_DATABASE LONGSHORE_CONFIG
cd -- "$here"
. jobs/json.sh

echo "== the queue's tables"
"$longshore" migrate up

echo "== one job to scan $directory, and one that fails in each way"
payload="{\"directory\": $(json_string "$directory"), \"manifest\": $(json_string "$manifest")}"
scan=$("$longshore" enqueue scan "$payload")
echo '== the same scan every night, as long as a worker runs'
"$longshore" schedules add nightly-scan --cron '30 2 * * *' --type scan "$payload"
for job_type in flaky denied broken slow killed noisy litter; do
    "$longshore" enqueue "$job_type" > /dev/null
done

echo '== a worker, until nothing is left to do'
"$longshore" work --drain

echo '== the batch, and what is to come'
"$longshore" batches list
"$longshore" schedules next nightly-scan --count 2

echo '== what was given up'
"$longshore" dead list

echo '== the manifest, read again by sha256sum'
"$longshore" jobs wait "$scan"
if [ -s "$manifest" ]; then
    sha256sum --quiet -c "$manifest"
fi
echo "$(($(wc -l < "$manifest"))) files agree with $manifest"

cat <<END

Look around:
  export LONGSHORE_DATABASE='$LONGSHORE_DATABASE'
  $LONGSHORE jobs list
  $LONGSHORE jobs show $scan
  $LONGSHORE jobs logs $scan
  $LONGSHORE batches list
END
