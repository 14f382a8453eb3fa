# shellcheck shell=bash disable=SC2034,SC2154 # the scripts use these variables, and set $usage
# What the scripts of ops/ share; each sources it. They run from any folder, and find the project as docker compose does:
# by .env, COMPOSE_FILE and COMPOSE_PROJECT_NAME. bash 3.2, which macOS has, is enough.
umask 077
name=ops/${0##*/}
callers_folder=$PWD
cd -- "$(dirname "${BASH_SOURCE[0]}")/../.." >/dev/null || exit

say() { printf '%s\n' "$*"; }
warn() { printf '%s: %s\n' "$name" "$*" >&2; }
fail() { warn "$@" && exit 1; }

# wrong_use: for arguments that do not fit; the script has its usage in $usage
wrong_use() { printf 'Usage: %s\n' "$usage" >&2 && exit 2; }
help_wanted() { case ${1:-} in -h | --help) printf 'Usage: %s\n' "$usage" && exit ;; esac }

# absolute <path>: the path, from the folder in which the script was called
absolute() { case $1 in /*) say "$1" ;; *) say "$callers_folder/$1" ;; esac }

# read_project: sets $project, $services, and $store, which is sqlite, postgres, or external: a PostgreSQL that Compose does not run
read_project() {
  local url
  docker info >/dev/null 2>&1 || fail 'Docker does not answer: see docker info'
  config=$(docker compose config 2>/dev/null) || fail "$(docker compose config 2>&1 >/dev/null | tail -n 1)"
  project=$(sed -n 's/^name: //p' <<<"$config" | sed -n 1p | tr -d "\"'")
  services=$(docker compose config --services)
  url=$(setting payment-service DATABASE_URL)
  case $url in
    file:*) store=sqlite ;;
    *@postgres[:/]* | '')
      grep -qx postgres <<<"$services" || fail 'there is no service postgres: set COMPOSE_FILE in .env'
      store=postgres
      ;;
    *) store=external ;;
  esac
}

# require_own_store: for procedures that use the database itself
require_own_store() {
  if [ "$store" = external ]; then
    fail 'DATABASE_URL names a PostgreSQL that Compose does not run: use psql, pg_dump and pg_restore with it'
  fi
}

# of_service <service>: what the configuration has below a service
of_service() { awk -v service="  $1:" '$0 == service { on = 1; next } on && /^ ? ?[^ ]/ { exit } on' <<<"$config"; }
setting() { of_service "$1" | sed -n "s/^      $2: *//p" | sed -n 1p | sed -e 's/^["'\'']//' -e 's/["'\'']$//'; }

# image_of <service>
image_of() {
  local image
  image=$(of_service "$1" | sed -n 's/^    image: *//p')
  say "${image:-$project-$1}"
}

require_service() { grep -qx -- "$1" <<<"$services" || fail "there is no service $1: it is one of $(xargs <<<"$services")"; }

# containers_of <service> [<filter> …]: the ids of its containers, without those of `docker compose run`
containers_of() {
  local service=$1 filters='' filter
  shift
  for filter in "$@"; do filters="$filters --filter $filter"; done
  # shellcheck disable=SC2086 # several options
  docker ps -aq --no-trunc $filters --filter "label=com.docker.compose.project=$project" \
    --filter "label=com.docker.compose.service=$service" --filter label=com.docker.compose.oneoff=False
}

# build_missing <service> …: for a machine that has none of the images yet
build_missing() {
  local service
  for service in "$@"; do
    docker image inspect "$(image_of "$service")" >/dev/null 2>&1 || docker compose build "$service"
  done
}

# count <words>
count() { wc -w <<<"$*" | tr -d ' '; }

# unpause <service> …: a paused container can be neither stopped nor asked. Its health is known some seconds later.
unpause() {
  local service paused container tries
  for service in "$@"; do
    paused=$(containers_of "$service" status=paused)
    # shellcheck disable=SC2086 # several containers
    if [ -n "$paused" ]; then docker unpause $paused >/dev/null; fi
    for container in $paused; do
      for ((tries = 0; tries < 15; tries++)); do
        if ! docker inspect --format '{{if .State.Health}}{{.State.Health.Status}}{{end}}' "$container" | grep -q unhealthy; then break; fi
        sleep 1
      done
    done
  done
}

stop_services() {
  unpause "$@"
  docker compose stop "$@" >/dev/null 2>&1 || fail "$* cannot be stopped: look at docker compose ps -a"
}

# on_exit <command>: also after an interruption; the latest runs first
at_exit=''
on_exit() {
  at_exit="$1; $at_exit"
  trap 'eval "$at_exit"' EXIT
}
trap 'exit 130' INT TERM HUP

# shielded <function> …: runs it to its end, in a process group of its own, which Ctrl-C does not reach
shielded() {
  trap '' INT TERM HUP
  set -m
  (
    at_exit=''
    "$@"
  ) </dev/null &
  set +m
  wait $! || exit 1
  trap 'exit 130' INT TERM HUP
}

# in_new_container <options and service> …: runs a command in a container of its own, whatever state the service's are in. Compose's
# own lines are left out; of the others, the last one is the error.
in_new_container() {
  local log container status=0
  log=$(mktemp)
  container=$project-ops-$$-$RANDOM
  # --rm does not remove one that was interrupted before its start.
  on_exit "rm -f '$log'; docker rm -f '$container' >/dev/null 2>&1 || true"
  docker compose run --rm --no-deps -T --name "$container" "$@" 2>"$log" || status=$?
  said=$(grep -vE '^ *(Container|Network|Volume|Image|time=)|^ *$' "$log" || true)
  return $status
}

# lock: one procedure that changes the containers or the store at a time. A procedure that starts another one has it already.
lock() {
  local owner lock_file
  if [ -n "${OPS_LOCK:-}" ]; then return; fi
  lock_file=/tmp/payments-$project.lock
  until ln -s $$ "$lock_file" 2>/dev/null; do
    owner=$(readlink "$lock_file" || true)
    if [ -n "$owner" ] && ps -p "$owner" >/dev/null; then
      fail "another procedure runs for $project (process $owner); if that is none, remove $lock_file"
    fi
    rm -f "$lock_file" 2>/dev/null || fail "an earlier procedure was killed: remove $lock_file"
  done
  export OPS_LOCK=$lock_file
  on_exit "rm -f '$lock_file'"
}
