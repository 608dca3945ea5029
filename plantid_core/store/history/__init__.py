"""What people observed, what the services said of it, and what the people decided it is."""
