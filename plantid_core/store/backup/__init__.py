"""The data directory as one file, taken while the app runs, and brought back whole or not at all."""
