"""Saving GPU memory in one call: for a job that ran out of it before, or where hardly any is left over."""

from __future__ import annotations

from typing import Any

#: Sides of the tiles in which pictures are encoded and decoded, pixels. Diffusers' own are as large as what the model
#: paints, so that nothing would be saved.
_TILE = 512


class Savers:
    """The autoencoder works in small tiles. Their seams are blended: the picture differs a little."""

    def __init__(self, pipe: Any, wanted: bool) -> None:
        self._vae = getattr(pipe, "vae", None)  # Kandinsky's, its movq, knows no tiles
        self._wanted = wanted and hasattr(self._vae, "enable_tiling")
        self._before: dict[str, Any] = {}

    def __enter__(self) -> None:
        vae = self._vae
        if not self._wanted or vae is None:
            return
        vae.enable_tiling()
        if hasattr(vae, "tile_latent_min_size") and vae.tile_sample_min_size > _TILE:
            names = ("tile_sample_min_size", "tile_latent_min_size")
            self._before = {name: getattr(vae, name) for name in names}
            factor = vae.tile_sample_min_size // vae.tile_latent_min_size
            vae.tile_sample_min_size, vae.tile_latent_min_size = _TILE, _TILE // factor

    def __exit__(self, *_: object) -> None:
        if not self._wanted or self._vae is None:
            return
        for name, value in self._before.items():
            setattr(self._vae, name, value)
        self._vae.disable_tiling()
