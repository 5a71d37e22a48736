#!/bin/sh
# Makes the secrets that docker-compose.yml mounts, in the folder given (deploy/secrets). Keeps those that exist.
set -eu
here="$(dirname "$0")"
folder="${1:-$here/secrets}"
mkdir -p "$folder"
# Nobody else on this machine gets into the folder. The files are readable: each container runs as another user.
chmod 700 "$folder"
keep() {
  chmod 444 "$1"
  echo "made $1"
}
for name in clickhouse_password clickhouse_reader_password clickhouse_grafana_password \
  kafka_password kafka_gateway_password kafka_admin_password; do
  file="$folder/$name"
  [ -s "$file" ] && continue
  od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"$file"
  keep "$file"
done

# The accounts of the ClickHouse servers, by the hashes of their passwords.
sha256() {
  if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -c1-64
}
file="$folder/clickhouse_users.xml"
if [ ! -s "$file" ]; then
  sed -e "s/@gatewatch@/$(sha256 "$folder/clickhouse_password")/" \
    -e "s/@reader@/$(sha256 "$folder/clickhouse_reader_password")/" \
    -e "s/@grafana@/$(sha256 "$folder/clickhouse_grafana_password")/" \
    "$here/clickhouse/users.template.xml" >"$file"
  keep "$file"
fi

# The accounts of the brokers, and the files by which an administrator and a gateway of Kafka’s own clients sign in.
login() {
  echo "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"$1\" password=\"$(cat "$2")\""
}
client() {
  printf 'security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.jaas.config=%s;\n' "$(login "$1" "$2")"
}
file="$folder/kafka_jaas.conf"
if [ ! -s "$file" ]; then
  {
    echo "KafkaServer {"
    login admin "$folder/kafka_admin_password"
    echo "user_admin=\"$(cat "$folder/kafka_admin_password")\""
    echo "user_gatewatch=\"$(cat "$folder/kafka_password")\""
    echo "user_gateway=\"$(cat "$folder/kafka_gateway_password")\";"
    echo "};"
  } >"$file"
  keep "$file"
fi
for name in admin gateway; do
  file="$folder/kafka_$name.properties"
  [ -s "$file" ] && continue
  client "$name" "$folder/kafka_${name}_password" >"$file"
  keep "$file"
done
