"""What counts as one incident, how it is recognised again, what people did about it, and what they are told. Pure."""
