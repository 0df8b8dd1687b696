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
        head -c 4 "$file" | grep -q ELF || continue  # a script
        patchelf --set-rpath "$libraries" "$file"
        case $file in *.so) ;; *) patchelf --set-interpreter "$loader" "$file" ;; esac
    done
    find "$erlang" -type f -name erl -exec sed -i "s#^\( *ROOTDIR\)=/usr/lib/erlang#\1=$erlang#" {} +
}

# It runs where it was unpacked, and nowhere else.
[ "$(cat "$folder/.unpacked" 2>/dev/null)" = "$folder" ] && exit
for program in mmdebstrap patchelf; do
    command -v "$program" >/dev/null || deploy/local/setup.sh "$program"
done
unpack
settle
echo "$folder" >"$folder/.unpacked"
