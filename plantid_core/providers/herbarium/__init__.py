"""A user's own labelled photos as a provider: learned on this machine in seconds, nothing is sent."""
