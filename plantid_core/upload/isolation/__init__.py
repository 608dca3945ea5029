"""The decode in worker processes: what a hostile file can do there, it does to nobody else."""

from __future__ import annotations

from plantid_core.upload.isolation.pool import Lane, Pool, shared_pool

__all__ = ["Lane", "Pool", "shared_pool"]
