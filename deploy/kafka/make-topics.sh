#!/bin/sh
# Makes the topic and says who may do what. Repeating it changes nothing.
#   make-topics.sh BOOTSTRAP_SERVER PARTITIONS REPLICATION_FACTOR
set -eu
server="$1"
partitions="$2"
replicas="$3"
topic=mcp-audit
bin="${KAFKA_BIN:-/opt/kafka/bin}"
admin="${KAFKA_ADMIN_PROPERTIES:-/run/secrets/kafka_admin.properties}"

"$bin/kafka-topics.sh" --bootstrap-server "$server" --command-config "$admin" \
  --create --if-not-exists --topic "$topic" --partitions "$partitions" --replication-factor "$replicas"

# allow ACCOUNT TOPIC_OR_GROUP NAME OPERATION…
allow() {
  account="$1"
  kind="$2"
  name="$3"
  shift 3
  operations=""
  for operation in "$@"; do operations="$operations --operation $operation"; done
  # shellcheck disable=SC2086
  "$bin/kafka-acls.sh" --bootstrap-server "$server" --command-config "$admin" \
    --add --allow-principal "User:$account" "--$kind" "$name" $operations
}
allow gateway topic "$topic" Write Describe
allow gatewatch topic "$topic" Read Describe
allow gatewatch group gatewatch Read
