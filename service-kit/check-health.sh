#!/usr/bin/env bash
# The health check of the containers: exits with 0 if what listens on HOST and PORT answers GET /health/ready with 200 within
# 2 seconds, otherwise with 1. It prints why, which docker inspect --format '{{json .State.Health}}' shows. It starts no other
# program, because each start takes longer than the check.
export LC_ALL=C
host=${HOST:-127.0.0.1}
# Every address is this one, too; a container may have no IPv6.
if [ "$host" = :: ]; then host=127.0.0.1; fi

# Runs in a process of its own, because bash has no deadline for a connection, which a hung service may leave unaccepted. Its own
# deadline ends it when the engine has killed the check. The service takes localhost for its own name on every address.
ask() {
  trap '' PIPE
  exec 3<>"/dev/tcp/$host/$PORT" || { echo "no connection to $host, port $PORT" && return; }
  printf 'GET /health/ready HTTP/1.1\r\nHost: localhost:%s\r\nConnection: close\r\n\r\n' "$PORT" >&3
  read -r -t 3 -n 64 status <&3
  echo "${status:-the connection was closed without an answer}"
}

exec 4< <(ask 2>/dev/null)
read -r -t 2 answer <&4 || answer='no answer within 2 seconds'
# Awaited, because it would stay as a zombie in a container without an init process.
kill $! 2>/dev/null
wait $!

if [[ $answer == 'HTTP/1.1 200 '* ]]; then
  echo ready
else
  answer=${answer%$'\r'}
  # It may come from any program that listens there.
  echo "not ready: ${answer//[^[:print:]]/?}"
  exit 1
fi
