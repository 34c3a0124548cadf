"""What of an event's words is kept, where a source keeps less than all."""
