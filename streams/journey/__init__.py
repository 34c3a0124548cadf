"""The truth about an account: a pure function of its touchpoints, and its incremental form."""
