"""Who asks, and what they may do: people, tokens, permissions, and what is signed."""
