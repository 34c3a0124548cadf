"""`touchline doctor`: what could keep Touchline from working here, each finding with its remedy."""
