"""XLabs' IP-Adapter for FLUX.1 [dev]: a picture is attended to beside the text.

https://huggingface.co/XLabs-AI/flux-ip-adapter, which diffusers' documentation of FLUX names.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from inpaint_core.card import ModelCard
from inpaint_core.errors import WeightsMissing
from transformers import CLIPImageProcessor, CLIPVisionModelWithProjection

from inpaint_worker.pipelines.pretrained import incomplete_weights, read_pretrained
from inpaint_worker.pipelines.runtime import Runtime
from inpaint_worker.pipelines.weights import Located


class SeeingClip(CLIPVisionModelWithProjection):  # type: ignore[misc]  # to mypy transformers is Any
    """The part of CLIP that sees. The file holds the other as well, which is no reason for a report of 200 lines."""

    _keys_to_ignore_on_load_unexpected = (r"^text_", r"^logit_scale$")


@dataclass(frozen=True, slots=True)
class IpAdapter:
    """Two sets of attention processors of one transformer, by their names. The plain ones are in place."""

    plain: dict[str, Any]
    adapted: dict[str, Any]

    @contextlib.contextmanager
    def applied(self, pipe: Any, strength: float) -> Iterator[None]:
        """While this lasts, `pipe`'s transformer attends to a picture.

        With the adapted processors at strength 0 the arithmetic would be another one than without them.
        """
        # A tensor: a plain number would be compiled into the blocks, and another would compile them anew.
        scale = torch.tensor(strength)
        for processor in self.adapted.values():
            if _has_weights(processor):
                processor.scale = [scale]
        # Copies: diffusers empties what it is given.
        pipe.transformer.set_attn_processor(dict(self.adapted))
        try:
            yield
        except BaseException:
            # What an offloaded pipeline does at the end of a call: later it would not know of the adapted ones, and
            # leave them on the GPU.
            pipe.maybe_free_model_hooks()
            raise
        finally:
            pipe.transformer.set_attn_processor(dict(self.plain))


def read_ip_adapter(pipe: Any, card: ModelCard, located: dict[str, Located], runtime: Runtime) -> IpAdapter:
    """Give `pipe` the weights of `ip_adapter` and the part of CLIP, `image_encoder`, that sees pictures.

    diffusers' loader would look for CLIP on its own, and in pickles too. It is given one that has been read.
    """
    clip = located["image_encoder"]
    encoder, report = read_pretrained(SeeingClip, card, "image_encoder", clip, runtime, output_loading_info=True)
    if lost := report["missing_keys"]:  # transformers would fill them with noise
        repo = card.weights["image_encoder"].repo
        raise WeightsMissing(
            f"{card.name} needs a CLIP that sees pictures, and {repo} is none: {len(lost)} of its weights are missing, "
            f"such as {min(lost)}",
            repo=repo,
        )
    with incomplete_weights(card, "image_encoder", clip):
        extractor = CLIPImageProcessor.from_pretrained(clip.folder, local_files_only=True)
    pipe.register_modules(image_encoder=encoder.eval(), feature_extractor=extractor)
    transformer = pipe.transformer
    plain, projection = transformer.attn_processors, getattr(transformer, "encoder_hid_proj", None)
    complete = False
    try:
        with incomplete_weights(card, "ip_adapter", located["ip_adapter"]):
            pipe.load_ip_adapter(
                located["ip_adapter"].folder,
                weight_name=card.weights["ip_adapter"].file,
                image_encoder_pretrained_model_name_or_path=None,
                local_files_only=True,
            )
        adapted = transformer.attn_processors
        parts = {"image_proj": transformer.encoder_hid_proj, **adapted}
        _require_all(parts)
        complete = True
    except KeyError as error:  # the name of a tensor
        repo = card.weights["ip_adapter"].repo
        raise WeightsMissing(
            f"{card.name} needs an IP-Adapter for FLUX.1, and {repo} is none: it lacks {error.args[0]}", repo=repo
        ) from error
    finally:
        transformer.set_attn_processor(dict(plain))
        if not complete:
            transformer.encoder_hid_proj = projection
    # Only the double blocks are adapted; diffusers makes new processors for the single ones.
    return IpAdapter(plain, {name: one if _has_weights(one) else plain[name] for name, one in adapted.items()})


def _has_weights(processor: Any) -> bool:
    return isinstance(processor, torch.nn.Module)


def _require_all(parts: dict[str, Any]) -> None:
    """Tensors that the file lacks stay without a place in memory, and diffusers says nothing."""
    for name, part in parts.items():
        if _has_weights(part):
            for tensor, parameter in part.named_parameters():
                if parameter.is_meta:
                    raise KeyError(f"{name}.{tensor}")
