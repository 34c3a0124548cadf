"""The stream processors: thin Faust shells around the pure core."""
