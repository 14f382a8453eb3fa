# shellcheck shell=bash disable=SC2154 # $said is of in_new_container
# The PostgreSQL of Compose. Its own tools run in its container, over its socket, where it asks for no password.
in_postgres() { docker compose exec -T postgres "$@"; }

# sql_in <database> <options of psql> …
sql_in() {
  local database=$1
  shift
  in_postgres psql -U payments -d "$database" -v ON_ERROR_STOP=1 -qAt "$@"
}

require_postgres() {
  [ -n "$(containers_of postgres status=running)" ] || fail 'postgres does not run: start it with ops/up'
}

start_postgres() {
  unpause postgres
  docker compose up -d --wait --no-recreate postgres >/dev/null 2>&1 ||
    fail "postgres does not start: $(docker compose logs --no-log-prefix --tail 1 postgres 2>&1)"
}

# require_password: the services reach the database with the password that they have
require_password() {
  # shellcheck disable=SC2016 # JavaScript
  in_new_container payment-service node --input-type=module --eval '
    import { readFileSync } from "node:fs";
    import pg from "pg";
    const { env } = process;
    const secret = (name) => env[name] || (env[`${name}_FILE`] && readFileSync(env[`${name}_FILE`], "utf8").trim());
    const url = new URL(secret("DATABASE_URL"));
    url.pathname = "/postgres";
    const password = secret("DATABASE_PASSWORD");
    if (password) url.searchParams.set("password", password);
    const client = new pg.Client({ connectionString: url.href, connectionTimeoutMillis: 10_000 });
    try {
      await client.connect();
      await client.end();
    } catch (error) {
      process.stderr.write(`${error.message}\n`);
      process.exit(1);
    }' </dev/null || fail "payment-service cannot reach PostgreSQL; nothing was changed: ${said##*$'\n'}"
}
