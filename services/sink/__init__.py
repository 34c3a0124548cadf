"""The store: facts from Kafka into ClickHouse, its migrations, and why a number is what it is."""
