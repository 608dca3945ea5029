"""Thousands of photos: asked once each, resumable, within what may be spent."""
