"""Answers that survive: one computation a key, a cache that may be lost, no waiting on the dead."""
