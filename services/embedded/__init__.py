"""The parts of the embedded default: a Kafka and a ClickHouse that need nothing installed."""
