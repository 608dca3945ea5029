"""How the tables came to be, step by step; run by `migrate` where a database is opened."""
