"""Ways to people. Each takes a message and says what became of it."""
