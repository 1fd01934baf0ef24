#!/bin/sh
# Runs the Python examples: orders from plain Python, Flask and Django, and a worker that sends their receipts.
#
# usage: ./run.sh          in a new directory under /tmp; needs `longshore` in the PATH, Flask and Django
set -eu
cd -- "$(dirname -- "$0")"
python=${PYTHON:-python3}
directory=$(mktemp -d "${TMPDIR:-/tmp}/longshore-python.XXXXXX")
export DATABASE="$directory/shop.db" OUTBOX="$directory/outbox" LONGSHORE_DATABASE="sqlite:$directory/shop.db"
export PYTHONDONTWRITEBYTECODE=1

echo '== the queue beside the tables of the shop'
longshore migrate up

echo '== plain Python: one order, and one that is rolled back together with its job'
"$python" shop.py "$DATABASE"

echo '== the same over HTTP, with Flask and with Django'
"$python" requests_to.py flask
"$python" requests_to.py django

echo '== an address that no attempt can reach'
longshore enqueue send_receipt '{"order": 0, "to": "nowhere", "cents": 1}'

echo '== a worker, until nothing is left to do'
longshore work --drain
longshore jobs list
longshore dead list
cat "$OUTBOX"/*.txt
