"""Experiments: what breaks others, run beside what we do about it."""
