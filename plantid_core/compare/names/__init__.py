"""Scientific names: read, and brought to the name that is accepted today."""
