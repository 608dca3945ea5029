"""Emulators of both services over real HTTP, answered by image models on this machine."""
