"""Providers side by side."""
