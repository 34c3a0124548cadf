"""Who is notified of what hurts: incidents from the journey's facts, through channels to people."""
