"""`touchline export`: the views for analysts as files."""
