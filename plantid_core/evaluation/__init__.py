"""Labelled photos are put to every provider, and the answers are measured."""
