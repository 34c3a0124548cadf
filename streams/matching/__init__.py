"""Which touchpoint type of the blueprint an event is."""
