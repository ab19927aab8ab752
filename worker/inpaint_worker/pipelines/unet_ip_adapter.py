"""IP-Adapter: a U-Net that attends to a reference image beside the prompt.

https://arxiv.org/abs/2308.06721. It replaces the U-Net's attention processors. With a scale of 0 they compute what the
old ones did, but ask for an image even so: the old ones are put back after each edit that has one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch.nn import Module

from inpaint_worker.pipelines.runtime import is_of_the_gpu


@dataclass(frozen=True, slots=True)
class _Attention:
    """How a U-Net attends to what it is told."""

    processors: dict[str, Any]
    projection: Any
    projects: str | None

    @classmethod
    def of(cls, unet: Any) -> _Attention:
        # The projection of IP-Adapter Plus has processors of its own, which it keeps.
        own = "encoder_hid_proj."
        processors = {name: one for name, one in unet.attn_processors.items() if not name.startswith(own)}
        return cls(processors, unet.encoder_hid_proj, unet.config.encoder_hid_dim_type)

    def where_it_differs(self, plain: _Attention) -> _Attention:
        """With the processors of `plain` where these have no weights: new ones know nothing of fused projections."""
        own = {
            name: one if isinstance(one, Module) else plain.processors[name] for name, one in self.processors.items()
        }
        return replace(self, processors=own)

    def put_into(self, unet: Any) -> None:
        unet.encoder_hid_proj = None  # first: diffusers counts its processors, too
        unet.set_attn_processor(dict(self.processors))
        unet.encoder_hid_proj = self.projection
        unet.config.encoder_hid_dim_type = self.projects


class IpAdapter:
    """What is put into the U-Net of `pipe` for an edit with a reference image."""

    def __init__(self, pipe: Any, plain: _Attention, adapted: _Attention) -> None:
        self._pipe = pipe
        self._plain = plain
        self._adapted = adapted

    @contextmanager
    def attending(self, strength: float) -> Iterator[None]:
        """With it, at a scale of `strength`. Outside, the U-Net is object for object what it was without."""
        self._adapted.put_into(self._pipe.unet)
        try:
            self._pipe.set_ip_adapter_scale(strength)
            yield
        finally:
            self._plain.put_into(self._pipe.unet)


def read_ip_adapter(pipe: Any, file: Path) -> IpAdapter:
    """The adapter in `file`, for `pipe`, whose image encoder is there already.

    Raises `ValueError` for a file that holds another net, OSError or `SafetensorError` for one that cannot be read.
    """
    plain = _Attention.of(pipe.unet)
    try:
        pipe.load_ip_adapter(
            str(file.parent), subfolder="", weight_name=file.name, image_encoder_folder=None, local_files_only=True
        )
        return IpAdapter(pipe, plain, _Attention.of(pipe.unet).where_it_differs(plain))
    except (KeyError, RuntimeError) as error:
        if is_of_the_gpu(error):
            raise
        raise ValueError(f"{file.name} is no IP-Adapter of this model: {' '.join(str(error).split())}") from error
    finally:
        plain.put_into(pipe.unet)
