"""Who is told of what: the delivery log, channels to try, and what policies would have told with other numbers."""
