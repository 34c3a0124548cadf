"""The JSON API and the live page: reads the store, writes nothing."""
