"""The embedded ClickHouse: one process that owns a chdb path and speaks ClickHouse's HTTP interface on loopback."""
