"""The processors beside others that do the same job on the same broker; `benchmarks.peer` runs them."""
