"""The demo: an invented B2B story, sent to the gateway through the vendors' real protocols."""
