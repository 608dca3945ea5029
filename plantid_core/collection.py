"""What people keep: observations, their photos, and whatever else holds a trace of them."""
