"""Erasing and telling what is known: people and accounts, by command."""
