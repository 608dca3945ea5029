"""One strict decode and one clean encode: from a stripped stream to a plain JPEG.

Runs in a worker process (`plantid_core.upload.isolation`), or in this one where isolation is not
asked for. Nothing here reads metadata: `plantid_core.upload.container` has told all there is.
"""
