"""What tries to break a server for as long as it is let."""
