"""Thousands of photos: asked once each, resumable, within what may be spent.

`folder` finds the photos, `journal` keeps what came of each, `team` (this machine) or `cluster_team`
(a Dask cluster) asks, `run` decides who is asked what and when, `table` writes the result.
"""
