#!/usr/bin/env bash
# Unpack RabbitMQ 4 and what it runs on, as Debian 13 has them, in the folder that is named; again does nothing. Debian 12
# has RabbitMQ 3.10, docker-compose.yml starts a 4: so what is tested can be tested on both (`make test RABBITMQ=4`).
# Nothing is installed of it, nothing else uses it: its programs are told to run on its own libraries, in that folder.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$(realpath -m "$1")
suite=trixie
packages=rabbitmq-server,erlang-base,erlang-eldap,erlang-inets,erlang-mnesia,erlang-os-mon,erlang-parsetools
packages+=,erlang-runtime-tools,erlang-ssl,erlang-syntax-tools,erlang-tools,erlang-xmerl

unpack() {
    echo "setup: unpacking RabbitMQ 4 in ${folder#"$PWD"/}"
    rm -rf "$folder"
    mmdebstrap --quiet --variant=extract --include="$packages" "$suite" "$folder"
}

# Programs name the loader of the machine's own libc, and Erlang's scripts the place where Debian installs it.
settle() {
    local erlang=$folder/usr/lib/erlang loader libraries file
    loader=$(find "$folder"/usr/lib/*-linux-gnu -maxdepth 1 -type f -name 'ld-linux*')
    libraries=$(dirname "$loader")
    find "$erlang" -type f \( -perm -100 -o -name '*.so' \) | while read -r file; do
        if ! patchelf --set-rpath "$libraries" "$file" 2>/dev/null; then continue; fi  # a script
        patchelf --set-interpreter "$loader" "$file" 2>/dev/null || true  # a library has none
    done
    find "$erlang" -type f -name erl -exec sed -i "s#^\( *ROOTDIR\)=/usr/lib/erlang#\1=$erlang#" {} +
}

[ -e "$folder/.unpacked" ] && exit
command -v mmdebstrap patchelf >/dev/null || deploy/local/setup.sh mmdebstrap patchelf
unpack
settle
touch "$folder/.unpacked"
