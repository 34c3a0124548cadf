"""Runs all services on one machine: starts, watches, restarts and stops them."""
