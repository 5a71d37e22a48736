#!/bin/sh
# Makes the secrets that docker-compose.cluster.yml mounts, in the folder given (deploy/secrets). Keeps those that exist.
set -eu
here="$(dirname "$0")"
folder="${1:-$here/secrets}"
sh "$here/make-secrets.sh" "$folder"
file="$folder/clickhouse_cluster.xml"
[ -s "$file" ] && exit 0
secret="$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')"
printf '<clickhouse><remote_servers><gatewatch><secret>%s</secret></gatewatch></remote_servers></clickhouse>\n' "$secret" >"$file"
chmod 444 "$file"
echo "made $file"
