"""Plumbing every service shares: configuration, secrets, process habits."""
