"""Queries, keys and values of one input by one multiplication: their three matrices lie below each other.

Diffusers' `fuse_qkv_projections()` keeps the three as well (4.3 GB more for FLUX.1), and changes the processors of
cross-attention, which an IP-Adapter replaces by its own that know nothing of it. So this goes from module to module.
"""

from __future__ import annotations

from typing import Any

from diffusers.models.attention import AttentionModuleMixin
from diffusers.models.attention_processor import (
    Attention,
    AttnProcessor2_0,
    FusedAttnProcessor2_0,
    FusedJointAttnProcessor2_0,
    JointAttnProcessor2_0,
)

_OWN = ("to_q", "to_k", "to_v")
_OF_TEXT = ("add_q_proj", "add_k_proj", "add_v_proj")


def fuse_projections(net: Any) -> int:
    """Fuse those of `net` that can be; how many modules of attention these were. Adapters have to be part of it."""
    modules = [module for module in net.modules() if _fuses(module)]
    for module in modules:
        if isinstance(module, Attention):
            joint = isinstance(module.processor, JointAttnProcessor2_0)
            module.set_processor(FusedJointAttnProcessor2_0() if joint else FusedAttnProcessor2_0())
        module.fuse_projections()
        for name in (*_OWN, *(_OF_TEXT if hasattr(module, "to_added_qkv") else ())):
            delattr(module, name)
    return len(modules)


def _fuses(module: Any) -> bool:
    if isinstance(module, AttentionModuleMixin):
        return module._supports_qkv_fusion and not module.fused_projections
    if not isinstance(module, Attention) or module.fused_projections or module.is_cross_attention:
        return False
    if isinstance(module.processor, JointAttnProcessor2_0):
        # The fused one leaves out these norms, and wants a text.
        return module.norm_q is None and module.norm_k is None and module.add_q_proj is not None
    return type(module.processor) is AttnProcessor2_0
