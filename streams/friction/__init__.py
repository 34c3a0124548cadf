"""Friction and delight: rules as data, three patterns that run them."""
