"""What outlives a request: the Redis or Valkey, embedded or given."""
