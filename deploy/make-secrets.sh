#!/bin/sh
# Makes the secrets that docker-compose.yml mounts, in the folder given (deploy/secrets). Keeps those that exist.
set -eu
folder="${1:-$(dirname "$0")/secrets}"
mkdir -p "$folder"
# Nobody else on this machine gets into the folder. The files are readable: each container runs as another user.
chmod 700 "$folder"
for name in clickhouse_password; do
  file="$folder/$name"
  [ -s "$file" ] && continue
  od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"$file"
  chmod 444 "$file"
  echo "made $file"
done
