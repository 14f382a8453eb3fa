# shellcheck shell=bash disable=SC2154 # $file, $said and $services are the script's
# For ops/restore: fills a new database while the services run, then stops them and exchanges the two.

restore_postgres() {
  local time payments
  start_postgres
  require_dump
  require_password
  time=$(date +%Y%m%d_%H%M%S)
  fresh=payments_restore_$time
  former=payments_before_$time
  discard_unfinished
  on_exit discard_unfinished
  fill_fresh
  payments=$(sql_in "$fresh" -c 'SELECT count(*) FROM payments' </dev/null) ||
    fail "$file has no payments of payment-service; nothing was changed"

  shielded exchange
  say "$payments payments were restored."
}

# Reads all of it, because a dump that was cut off has its table of contents, and compares its size with the free space: PostgreSQL
# ends at once when it can write no log.
require_dump() {
  local text needed free
  text=$(in_postgres pg_restore --file=- <"$file" 2>/dev/null | wc -c) ||
    fail "$file is damaged or of a newer PostgreSQL; nothing was changed"
  # Tables with their indexes take twice their text, and the log as much, up to its limit of 1 GB.
  needed=$((text / 512))
  needed=$((needed + (needed < 1048576 ? needed : 1048576) + 65536))
  # shellcheck disable=SC2016 # of the container
  free=$(in_postgres sh -c 'df -Pk "$PGDATA"' </dev/null | awk 'END { print $4 }')
  if [ "$free" -lt "$needed" ]; then
    fail "too little space for PostgreSQL: $((needed / 1024)) MB are needed, $((free / 1024)) MB are free; nothing was changed"
  fi
}

fill_fresh() {
  said=$(sql_in postgres -c "CREATE DATABASE $fresh" 2>&1 </dev/null) || fail "nothing was changed: ${said##*$'\n'}"
  said=$(in_postgres pg_restore -U payments -d "$fresh" --no-owner --exit-on-error --single-transaction <"$file" 2>&1) ||
    fail "$file cannot be restored; nothing was changed: ${said##*$'\n'}"
}

# Also those of a restore that was killed. The one that has taken the place of the payments no longer has such a name.
discard_unfinished() {
  local unfinished
  for unfinished in $(sql_in postgres -c "SELECT datname FROM pg_database WHERE datname LIKE 'payments\_restore\_%'" 2>/dev/null </dev/null); do
    sql_in postgres -c "DROP DATABASE $unfinished WITH (FORCE)" >/dev/null 2>&1 </dev/null || true
  done
}

# copy_sends: what the provider services have sent since the backup is in the former database, if that can be read. Otherwise a send
# that the backup does not have would count as not made, so that all sends before now are marked as unknown.
copy_sends() {
  local columns since
  if [ "$(sql_in "$fresh" -c "SELECT to_regclass('sends') IS NULL" </dev/null)" = t ]; then
    say 'The backup has no record of sends: those before the start are unknown.'
    return
  fi
  columns=$(sql_in "$fresh" -c "SELECT string_agg(quote_ident(column_name), ', ' ORDER BY ordinal_position)
    FROM information_schema.columns WHERE table_name = 'sends'" </dev/null)
  if since=$(sql_in payments -c 'SELECT at FROM sends_since' 2>/dev/null </dev/null) && [ -n "$since" ] &&
    copy_rows "$columns" && sql_in "$fresh" -c "UPDATE sends_since SET at = '$since'" </dev/null; then
    say "The record of sends since $since was copied from the former database."
  else
    sql_in "$fresh" -c 'UPDATE sends_since SET at = now()' </dev/null || return 1
    say 'The record of sends could not be read: sends before now are marked as unknown, and what waits may be sent again.'
  fi
}

# copy_rows <columns>: a row of the former database is later than the backup's
copy_rows() {
  local table
  table=$(mktemp)
  if sql_in payments -c "COPY (SELECT $1 FROM sends) TO STDOUT" >"$table" 2>/dev/null </dev/null &&
    sql_in "$fresh" -1 -c 'CREATE TEMP TABLE former (LIKE sends)' -c "COPY former ($1) FROM STDIN" \
      -c 'DELETE FROM sends USING former WHERE sends.provider = former.provider AND sends.key = former.key' \
      -c "INSERT INTO sends ($1) SELECT $1 FROM former" >/dev/null 2>&1 <"$table"; then
    rm -f "$table"
  else
    rm -f "$table"
    return 1
  fi
}

# Both names change together.
exchange() {
  local sends renames=(-c "ALTER DATABASE $fresh RENAME TO payments")
  # shellcheck disable=SC2046 # several services
  stop_services $(grep -xE 'nginx|(payment|aldeamo|twilio)-service' <<<"$services")
  sends=$(copy_sends) || fail 'the record of sends could not be set; the payments are as before, and the services are stopped'
  if [ "$(sql_in postgres -c "SELECT count(*) FROM pg_database WHERE datname = 'payments'" </dev/null)" = 1 ]; then
    renames=(-c "ALTER DATABASE payments RENAME TO $former" "${renames[@]}")
  fi
  sql_in postgres -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IN ('payments', '$fresh')" \
    >/dev/null </dev/null
  said=$(sql_in postgres -1 "${renames[@]}" 2>&1 </dev/null) ||
    fail "the payments are as before, and the services are stopped: ${said##*$'\n'}"
  if [ ${#renames[@]} -gt 2 ]; then say "The former database is $former."; fi
  say "$sends"
}
