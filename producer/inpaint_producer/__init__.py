"""How jobs get in: the client library, and the relay that makes sure every accepted job reaches its queue."""

from inpaint_core.edit import EditOptions, MaskShapes

from inpaint_producer.client import InpaintClient
from inpaint_producer.spec import ImageSource, JobSpec, MaskSource

__all__ = ["EditOptions", "ImageSource", "InpaintClient", "JobSpec", "MaskShapes", "MaskSource"]
