"""A diffusers pipeline with something put into it for the length of one call, and nothing left of it afterwards."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from typing import Any


class GuidedCall:
    """What `DiffusersPipeline.called` returns for an edit with guides: called once, like the pipeline itself.

    `guides` are entered around the call. They change the pipeline's parts, and leave them as they were, whether the
    call ends or its step callback raises.
    """

    def __init__(self, pipe: Any, *guides: AbstractContextManager[None]) -> None:
        self._pipe = pipe
        self._guides = guides

    def __call__(self, **arguments: Any) -> Any:
        with ExitStack() as entered:
            for guide in self._guides:
                entered.enter_context(guide)
            try:
                return self._pipe(**arguments)
            except BaseException:
                # At the end of a call an offloaded pipeline does this by itself. It must come before the guides go:
                # what is not part of the model any more would stay on the GPU.
                self.maybe_free_model_hooks()
                raise

    def maybe_free_model_hooks(self) -> None:
        """As the pipeline does it: an offloaded one gives up the GPU."""
        self._pipe.maybe_free_model_hooks()
