# shellcheck shell=bash
# ops/lib/sqlite.js as a command, for a container of any release and for an installation without Docker.
# shellcheck disable=SC2034 # for the scripts
sqlite=(node --input-type=module --eval "$(cat ops/lib/sqlite.js)")

# sqlite_here <command> …: without Docker, with the Node.js of npm ci
sqlite_here() { PATH="$PWD/node_modules/.bin:$PATH" "${sqlite[@]}" "$@"; }
