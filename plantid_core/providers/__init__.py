"""Everyone who can identify a plant: two services over HTTP, and a model on this machine."""
