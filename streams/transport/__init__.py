"""How records are written to and read from Kafka: the only code outside agents that knows aiokafka."""
