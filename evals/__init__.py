"""Judges: they receive an open house and ask it."""
