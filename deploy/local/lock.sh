#!/usr/bin/env bash
# Compile requirements.lock, and a part of it for each service's image, from pyproject.toml. Run by `make lock`.
# The locks carry hashes and no address of any registry, so they install from a mirror as well.
set -euo pipefail
cd "$(dirname "$0")/../.."
uv=.local/uv/bin/uv
[ -x "$uv" ] || "${PYTHON:-python3}" -m pip install --quiet --target .local/uv uv

compile() {
    "$uv" pip compile --quiet pyproject.toml --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" "$@"
}

compile --all-extras --output-file requirements.lock "$@"
for extra in registry casework translation notifier; do
    compile --extra "$extra" --constraint requirements.lock --output-file "services/$extra/requirements.lock"
done
compile --extra client --constraint requirements.lock --output-file client/requirements.lock
