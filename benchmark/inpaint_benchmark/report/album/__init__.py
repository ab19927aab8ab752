"""The pictures of a report: what was to be done, what each model made of it, and where its trials differ."""

from inpaint_benchmark.report.album.album import Album, ModelAlbum, make_album
from inpaint_benchmark.report.album.panels import Panel, Strip

__all__ = ["Album", "ModelAlbum", "Panel", "Strip", "make_album"]
