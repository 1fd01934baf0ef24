#!/bin/sh
# Scans a directory with two workers over HTTP and checks the resulting manifest.
#
# usage: ./run.sh DIRECTORY
#
# Needs longshore (or $LONGSHORE), python3 (or $PYTHON) and sha256sum. Everything goes to a new directory under /tmp.
set -eu

if [ $# -ne 1 ] || [ ! -d "$1" ]; then
    echo "usage: $0 DIRECTORY" >&2
    exit 2
fi
directory=$(cd -- "$1" && pwd -P)
cd -- "$(dirname -- "$0")"
longshore=${LONGSHORE:-longshore}
python=${PYTHON:-python3}
scratch=$(mktemp -d)
LONGSHORE_DATABASE=sqlite:$scratch/library.db
LONGSHORE_CONFIG=$PWD/longshore.toml
export LONGSHORE_DATABASE LONGSHORE_CONFIG

"$longshore" migrate up --quiet
"$longshore" serve --listen 127.0.0.1:0 > "$scratch/serve" &
server=$!
pids=$server
trap 'kill $pids 2> /dev/null; wait' EXIT
until url=$(sed -n 's/^listening on //p' "$scratch/serve") && [ -n "$url" ]; do
    kill -0 "$server"
    sleep 0.1
done

for _ in 1 2; do
    "$python" scanner.py "$url" &
    pids="$pids $!"
done
scan=$("$longshore" enqueue scan "{\"directory\": \"$directory\", \"manifest\": \"$scratch/manifest\"}")
"$longshore" jobs wait "$scan" --timeout 5m
# The report is the last job of the scan, and the manifest the last thing that it writes.
until [ -e "$scratch/manifest" ]; do
    kill -0 "$server"
    sleep 0.1
done
"$longshore" workers
sha256sum --quiet -c "$scratch/manifest"
echo "$(($(wc -l < "$scratch/manifest"))) files agree with $scratch/manifest"
