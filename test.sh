#!/bin/sh
# Runs all tests. Installs missing tools that they need from Debian's packages.
set -eu
cd "$(dirname "$0")"

# need CHECK PACKAGE...: installs the packages if the check fails.
need() {
    sh -c "$1" >/dev/null 2>&1 && return
    shift
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "test.sh: please install: $*" >&2
        exit 1
    fi
    as_root=
    [ "$(id -u)" = 0 ] || as_root=sudo
    $as_root apt-get update -qq
    $as_root apt-get install -y -qq --no-install-recommends "$@"
}

need 'command -v cc' gcc libc6-dev
need 'command -v setsid' util-linux
need 'command -v find' findutils
need 'command -v awk' mawk
need 'command -v script' bsdutils
need 'python3 -c "import sqlite3"' python3

cargo test --workspace --doc --quiet
# Applications with drivers of their own. Their locks pin older versions of rusqlite, down to the oldest one.
for example in sqlx diesel; do
    cargo run --quiet --manifest-path "examples/$example/Cargo.toml" --target-dir target/examples
done
if cargo nextest --version >/dev/null 2>&1; then
    exec cargo nextest run --workspace --no-fail-fast
fi
exec cargo test --workspace --no-fail-fast
