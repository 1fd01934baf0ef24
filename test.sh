#!/bin/sh
# Runs all tests. Installs missing tools that they need from Debian's packages.
set -eu
cd "$(dirname "$0")"

as_root=
[ "$(id -u)" = 0 ] || as_root=sudo

# need CHECK PACKAGE...: installs the packages if the check fails.
need() {
    sh -c "$1" >/dev/null 2>&1 && return
    shift
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "test.sh: please install: $*" >&2
        exit 1
    fi
    $as_root apt-get update -qq
    # RUNLEVEL=1: no service of these packages is started. The tests start their own servers.
    $as_root env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
}

need 'command -v cc' gcc libc6-dev
need 'command -v setsid' util-linux
need 'command -v find' findutils
need 'command -v awk' mawk
need 'command -v script' bsdutils
need 'command -v sqlite3' sqlite3
need 'command -v curl' curl
has_postgres='command -v initdb || [ -x "$LONGSHORE_TEST_POSTGRES_BIN/initdb" ] || ls /usr/lib/postgresql/*/bin/initdb'
if ! sh -c "$has_postgres" >/dev/null 2>&1; then
    # Debian's server package creates a cluster on port 5432 unless this file says otherwise.
    need "$has_postgres" postgresql-common
    $as_root sed -i 's/^#\? *create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
    need "$has_postgres" postgresql
fi
need 'PATH=$PATH:/usr/sbin command -v pgbouncer' pgbouncer
need 'command -v openssl' openssl
need 'command -v chromium' chromium fonts-dejavu-core
need 'python3 -c "import sqlite3"' python3
flask_and_django='-c "import flask, django"'
need "python3 $flask_and_django || /usr/bin/python3 $flask_and_django" python3-flask python3-django

# The Node example needs node:sqlite, which Debian's Node may be too old for.
node=${CARGO_TARGET_DIR:-target}/node
has_sqlite='-e require("node:sqlite")'
if ! node $has_sqlite >/dev/null 2>&1 && ! "$node/node_modules/node/bin/node" $has_sqlite >/dev/null 2>&1; then
    need 'command -v npm' npm
    echo "test.sh: installing Node 22 into $node"
    npm install --silent --no-save --no-audit --no-fund --prefix "$node" node@22
fi

echo 'test.sh: building (some minutes the first time), then running the tests'
cargo test --workspace --doc
# Applications with drivers of their own. Their locks pin older versions of rusqlite, down to the oldest one.
for example in sqlx diesel; do
    cargo run --quiet --manifest-path "examples/$example/Cargo.toml" --target-dir "${CARGO_TARGET_DIR:-target}/examples"
done
if cargo nextest --version >/dev/null 2>&1; then
    exec cargo nextest run --workspace --no-fail-fast
fi
exec cargo test --workspace --no-fail-fast
