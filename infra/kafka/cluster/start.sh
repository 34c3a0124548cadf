#!/bin/bash
# Starts one broker of the cluster. Needs KAFKA_NODE_ID, KAFKA_CLUSTER_ID and HOSTNAME; writes only to TMPDIR (/tmp) and the log folder.
set -euo pipefail
kafka=${KAFKA_HOME:-/opt/kafka}
here=$(dirname "$0")
properties=${TMPDIR:-/tmp}/server.properties
{
  cat "$here/server.properties"
  echo "node.id=$KAFKA_NODE_ID"
  echo "advertised.listeners=BROKER://$HOSTNAME:9092"
} >"$properties"
"$kafka/bin/kafka-storage.sh" format --ignore-formatted --cluster-id "$KAFKA_CLUSTER_ID" --config "$properties"
exec "$kafka/bin/kafka-server-start.sh" "$properties"
