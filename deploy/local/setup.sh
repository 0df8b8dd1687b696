#!/usr/bin/env bash
# Make .venv from requirements.lock, and see that RabbitMQ, MongoDB and what watches them can be had here. Run by `make setup`;
# safe to run again. With names of Debian's packages: those too, when something needs more than that.
# Needs Python 3.11 or newer with pip; not the venv's own pip (Debian packs ensurepip apart), nor the network the second time.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${PYTHON:-python3}
rabbitmq=/usr/lib/rabbitmq/bin/rabbitmq-server

say() { echo "setup: $*"; }
fail() { echo "setup: $*" >&2; exit 1; }

make_venv() {
    local stamp
    stamp=.venv/.made-from-$( (cat requirements.lock deploy/local/setup.sh; sed '/^\[tool\.[^s]/,$d' pyproject.toml) | sha256sum | cut -c1-16)
    [ -e "$stamp" ] && return
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "Python 3.11 or newer is needed; name it with PYTHON="
    "$python" -m pip --version >/dev/null || fail "pip is needed: apt-get install python3-pip"
    [ -x .venv/bin/python ] || "$python" -m venv --without-pip .venv
    rm -f .venv/.made-from-*
    install_into_venv --require-hashes -r requirements.lock
    install_into_venv --no-build-isolation --editable .
    allow_mongod
    touch "$stamp"
    say ".venv is ready"
}

# --no-deps: the lock is complete, and pip need not work that out again.
install_into_venv() {
    "$python" -m pip --python .venv/bin/python --disable-pip-version-check install --quiet --no-deps "$@"
}

# A wheel cannot always carry the right to execute.
allow_mongod() {
    find .venv/lib -path '*fiftyone*' -name mongod -exec chmod +x {} +
}

servers_of_our_own() {
    [ "$(.venv/bin/python -m deploy.local.supply)" = programs ]
}

missing_packages() {
    [ -x "$rabbitmq" ] || echo rabbitmq-server
    local mongod
    mongod=$(.venv/bin/python -m deploy.local.mongodb) || fail "there is no mongod for this machine: put one on the PATH, or start Docker"
    if ldd "$mongod" | grep -q 'libcurl.so.4 => not found'; then echo libcurl4; fi
}

install_packages() {
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        fail "please install: $* (for Debian: apt-get install $*), or start Docker"
    fi
    say "installing $*"
    without_starting install_with_apt "$@"
}

install_with_apt() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -qq --no-install-recommends "$@" >/dev/null 2>&1 && return
    apt-get update -qq
    apt-get install -qq --no-install-recommends "$@" >/dev/null
}

# Prometheus and Alertmanager, for the tests of what watches the exchange: those skip where they cannot be had.
missing_watchers() {
    command -v prometheus promtool >/dev/null || echo prometheus
    command -v prometheus-alertmanager alertmanager >/dev/null || echo prometheus-alertmanager
}

install_watchers() {
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        say "without $*: the tests that need them are skipped"
    else
        (install_packages "$@") || say "could not install $*: the tests that need them are skipped"
    fi
}

# Debian starts a service as soon as it is installed, unless /usr/sbin/policy-rc.d says no. A subshell: what was there comes back in any case.
without_starting() (
    policy=/usr/sbin/policy-rc.d
    kept=$(mktemp -u "$policy.kept.XXXXXX")
    if [ -e "$policy" ]; then mv "$policy" "$kept"; fi
    trap 'rm -f "$policy"; if [ -e "$kept" ]; then mv "$kept" "$policy"; fi' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    "$@"
)

mkdir -p .local
exec 9>.local/setup.lock
flock 9
make_venv
if [ ! -x "$rabbitmq" ] || [ ! -e .venv/.servers-found ]; then
    if servers_of_our_own; then
        packages=$(missing_packages)
        # shellcheck disable=SC2086  # one word for each package
        [ -z "$packages" ] || install_packages $packages
        touch .venv/.servers-found
    fi
fi
if [ ! -e .venv/.watchers-looked-for ]; then
    packages=$(missing_watchers)
    # shellcheck disable=SC2086  # one word for each package
    [ -z "$packages" ] || install_watchers $packages
    touch .venv/.watchers-looked-for
fi
[ $# = 0 ] || install_packages "$@"
