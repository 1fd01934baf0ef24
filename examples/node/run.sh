#!/bin/sh
# Runs the Node example: orders that are committed with their jobs, and a worker that sends the receipts.
#
# usage: ./run.sh          in a new directory under /tmp; needs `longshore` and Node 22.5 or later in the PATH
set -eu
cd -- "$(dirname -- "$0")"
directory=$(mktemp -d "${TMPDIR:-/tmp}/longshore-node.XXXXXX")
export OUTBOX="$directory/outbox" LONGSHORE_DATABASE="sqlite:$directory/shop.db" NODE_NO_WARNINGS=1

echo '== the queue beside the tables of the shop'
longshore migrate up

echo '== one order, and one that is rolled back together with its job'
node shop.mjs "$directory/shop.db"

echo '== an address that no attempt can reach'
longshore enqueue send_receipt '{"order": 0, "to": "nowhere", "cents": 1}'

echo '== a worker, until nothing is left to do'
longshore work --drain
longshore jobs list
longshore dead list
cat "$OUTBOX"/*.txt
