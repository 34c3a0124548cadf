"""What `verify` and `remap` look for: each module finds one kind of difference between Kafka and the store."""
