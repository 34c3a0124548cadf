"""`touchline backup` and `touchline restore`."""
