"""The decode in worker processes: what a hostile file can do there, it does to nobody else.

The server's side begins at `pool`. Nothing is imported here: a worker lives in this room too, and is
to be small.
"""
