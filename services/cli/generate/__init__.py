"""`touchline generate`: files that follow from the registries, written or checked."""
