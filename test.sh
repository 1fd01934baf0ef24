#!/bin/sh
# Runs all tests. Installs missing tools that they need from Debian's packages.
set -eu
cd "$(dirname "$0")"

# need COMMAND PACKAGE...: installs the packages if the command is missing.
need() {
    command -v "$1" >/dev/null 2>&1 && return
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

need cc gcc libc6-dev
need setsid util-linux
need find findutils
need awk mawk
need python3 python3-minimal

cargo test --workspace --doc --quiet
if cargo nextest --version >/dev/null 2>&1; then
    exec cargo nextest run --workspace --no-fail-fast
fi
exec cargo test --workspace --no-fail-fast
