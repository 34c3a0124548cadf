"""The embedded Apache Kafka: one KRaft node as a child process; needs no Docker, Java or Maven."""
