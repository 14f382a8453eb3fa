# For docs/operations.md. In bash, in the folder of docker-compose.yml: . ops/helpers.sh

# each <service> <method> <path>: sends a request to every replica of a service, with the key of its container
each() {
  local container
  for container in $(docker compose ps -q "$1"); do
    docker exec "$container" node --eval '
      const [method, path] = process.argv.slice(1);
      const { PORT, ADMIN_API_KEY, SERVICE_TOKEN } = process.env;
      const key = path === "/health/upstream" ? SERVICE_TOKEN : ADMIN_API_KEY;
      const headers = key ? { authorization: `Bearer ${key}` } : {};
      fetch(`http://127.0.0.1:${PORT}${path}`, { method, headers }).then(async (answer) =>
        console.log(require("node:os").hostname(), answer.status, await answer.text()));
    ' "$2" "$3"
  done
}

# sql <statement>: runs a statement on the database; SQLite is opened for reading only
sql() {
  if docker compose config --services | grep -qx postgres; then
    docker compose exec -T postgres psql -U payments -c "$1"
  else
    docker compose exec -T payment-service node --eval '
      const { DatabaseSync } = require("node:sqlite");
      console.table(new DatabaseSync("/data/payments.db", { readOnly: true }).prepare(process.argv[1]).all());
    ' "$1"
  fi
}

# roll <service> <replicas>: starts new replicas beside the old ones, and removes the old ones once the new ones are healthy,
# otherwise the new ones
roll() {
  local old new gone status
  old=$(docker compose ps -q "$1")
  docker compose up -d --wait --no-deps --no-recreate --scale "$1=$(($(wc -w <<<"$old") + $2))" "$1"
  status=$?
  new=$(docker compose ps -aq "$1" | grep -vxF -e "${old:-none}")
  if [ "$(wc -w <<<"$new")" -lt "$2" ]; then
    echo "roll: fewer than $2 new replicas of $1 were started; no replica is stopped" >&2
    return 1
  fi
  gone=$new
  if [ $status = 0 ]; then gone=$old; fi
  if [ -n "$gone" ]; then docker stop $gone && docker rm $gone; fi && return $status
}
