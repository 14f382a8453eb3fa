# shellcheck shell=bash disable=SC2154 # $said is of in_new_container
# Whether a release may be rolled out.

require_image() {
  docker image inspect "$(image_of "$1")" >/dev/null 2>&1 || fail "there is no image $(image_of "$1"): docker compose build"
}

# require_compatible <service>: its new release may run beside the one that runs now, which it can tell from the database
require_compatible() {
  in_new_container "$1" sh -c 'if [ -e src/check-upgrade.ts ]; then exec node src/check-upgrade.ts; fi' </dev/null >/dev/null ||
    fail "the new release of $1 cannot run beside the old one, which stays: $said"
}
