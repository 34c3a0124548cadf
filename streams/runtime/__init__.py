"""What every process stands on: Kafka, ClickHouse, metrics, health and log lines. Pure code knows none of it."""
