"""What counts as one incident, how it is recognised again, what people did about it, and what is sent to them. Pure."""
