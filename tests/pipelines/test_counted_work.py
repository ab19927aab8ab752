"""What models weigh and compute, counted on the meta device: the guard against jobs that become dearer unnoticed."""

from __future__ import annotations

import copy

import pytest
import torch
from inpaint_benchmark.gpu.counting import count_job
from inpaint_benchmark.gpu.figures import (
    CROPPED,
    CROPPED_SIDES,
    REWRITE,
    count,
    count_cropped,
    counted_cards,
    differences,
)
from inpaint_benchmark.gpu.figures_file import stored
from inpaint_benchmark.gpu.weighing import weigh
from inpaint_core.card import ModelCard
from inpaint_core.catalogue import load_catalogue
from torch.utils.flop_counter import FlopCounterMode

# diffusers warns of its own import, and of what it does itself.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.FluxPosEmbed. is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
]
CARDS = counted_cards()
NAMES = [card.name for card in CARDS]
#: What a card says, in round numbers, may differ by so much from what is counted.
ROUNDED = 0.05
#: Networks whose numbers make a model's name: what is called in each step, without ControlNets.
DENOISERS = ("transformer", "unet", "prior_prior")


@pytest.mark.parametrize("card", CARDS, ids=NAMES)
def test_a_job_computes_and_weighs_what_it_did(card: ModelCard) -> None:
    found = differences(card.name, stored()["models"].get(card.name, {}), count(card))
    if found:
        pytest.fail("\n".join([*found, f"If that is meant, write the figures anew: {REWRITE}"]), pytrace=False)


def test_figures_are_stored_of_all_models_and_no_others() -> None:
    assert sorted(stored()["models"]) == sorted(NAMES), f"Write the figures anew: {REWRITE}"


def test_what_differs_is_told_by_network_with_both_figures() -> None:
    before = stored()["models"]["stable-diffusion-2-inpainting"]
    now = copy.deepcopy(before)
    assert not differences("sd2", before, now)
    now["components"]["unet"]["flops"] *= 2
    now["components"]["unet"]["calls"] = 102
    del now["components"]["vae"]
    now["components"]["upscaler"] = {"parameters": 10**9, "bytes": 2 * 10**9, "flops": 3 * 10**12, "calls": 4}
    now["parameters"]["steps"] = 100
    assert differences("sd2", before, now) == [
        f"sd2: parameters was {before['parameters']} and is {now['parameters']}.",
        "sd2: the network vae is gone.",
        "sd2: the network unet was 82.0463 TFLOP, 1.73185 GB, 0.865925 billion numbers, 51 calls; it is 164.093 TFLOP, "
        "1.73185 GB, 0.865925 billion numbers, 102 calls.",
        "sd2: the network upscaler is new: 3 TFLOP, 2 GB, 1 billion numbers, 4 calls.",
    ]


def test_a_step_in_a_crop_costs_what_its_pixels_do() -> None:
    found = count_cropped()
    assert found == stored()["cropped"]["step_flops"], f"Write the figures anew: {REWRITE}"
    assert [round(flops / 1e12, 1) for flops in found.values()] == [21.5, 41.9, 74.4, 191.9]
    assert found == {str(side): flux_step(side) for side in CROPPED_SIDES}


def test_steps_guidance_and_negative_prompts_are_counted_as_they_are_called() -> None:
    card = load_catalogue()["stable-diffusion-2-inpainting"]
    guided = count_job(card, 512, 512, {"steps": 4}).components["unet"]
    plain = count_job(card, 512, 512, {"steps": 4, "guidance": 1}).components["unet"]
    assert guided.calls == plain.calls == 5  # its scheduler makes one step twice
    assert guided.flops == 2 * plain.flops


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("masked", [False, True])
def test_attention_is_counted_in_full_whatever_computes_it(dtype: torch.dtype, masked: bool) -> None:
    heads, tokens, width = 4, 96, 64
    query = torch.empty(1, heads, tokens, width, device="meta", dtype=dtype)
    mask = torch.empty(1, 1, tokens, tokens, device="meta", dtype=torch.bool) if masked else None
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        torch.nn.functional.scaled_dot_product_attention(query, query, query, attn_mask=mask)
    assert counter.get_total_flops() == 2 * 2 * heads * tokens**2 * width


@pytest.mark.parametrize("card", CARDS, ids=NAMES)
def test_the_catalogue_says_what_is_counted(card: ModelCard) -> None:
    weights = weigh(card)
    for role, source in card.weights.items():
        published = sum(weight.published_bytes for weight in weights if weight.role == role) / 1e9
        if source.needed_for is None:
            assert source.size_gb == pytest.approx(published, rel=ROUNDED), f"size_gb of {role}"
    denoisers = sum(weight.parameters for weight in weights if weight.component in DENOISERS) / 1e9
    assert card.billions == pytest.approx(denoisers, rel=ROUNDED), "billions"


@pytest.mark.parametrize("card", CARDS, ids=NAMES)
def test_the_memory_that_a_card_asks_for_holds_its_weights(card: ModelCard) -> None:
    weights = {weight.component: weight.bytes / 1e9 for weight in weigh(card)}
    assert card.gpu_memory_gb is not None
    # Beside the weights there is what a picture needs: at most as much again.
    assert sum(weights.values()) < card.gpu_memory_gb < 2 * sum(weights.values())
    if card.offload_memory_gb is not None:
        # A ControlNet is on the GPU beside the network that it steers.
        largest = max(weights.values()) + weights.get("controlnet", 0.0)
        assert largest < card.offload_memory_gb < card.gpu_memory_gb


@pytest.mark.parametrize(("name", "billions"), [("flux-1-fill-dev", 8.599), ("z-image-turbo-inpainting", 6.01)])
def test_a_number_of_8_bits_weighs_one_byte_in_the_blocks_of_a_transformer(name: str, billions: float) -> None:
    card = load_catalogue()[name]
    whole, narrow = (
        {weight.component: weight for weight in weigh(each)}
        for each in (card, card.model_copy(update={"quantisation": "fp8"}))
    )
    before, after = whole.pop("transformer"), narrow.pop("transformer")
    assert narrow == whole and after.parameters == before.parameters
    # Half of what the narrowed layers had, and beside it a scale for each row.
    assert (before.bytes - after.bytes) / 1e9 == pytest.approx(billions, rel=0.001)


def flux_step(side: int) -> int:
    """FLOPs of a step of FLUX Fill in a square picture, with a prompt of 512 tokens, from its architecture."""
    assert CROPPED == "flux-1-fill-dev"
    width, text, picture = 3072, 512, (side // 16) ** 2
    tokens = text + picture
    # Per token: queries, keys, values, what joins the heads, and a feed-forward of four times the width.
    linear = (1 + 1 + 1 + 1 + 4 + 4) * width**2
    double = tokens * linear + 2 * tokens**2 * width + 2 * 6 * width**2
    single = tokens * linear + 2 * tokens**2 * width + 3 * width**2
    embedded = picture * 384 * width + text * 4096 * width
    conditioned = 2 * (256 * width + width**2) + (768 * width + width**2)
    last = picture * width * 64 + 2 * width**2
    return 2 * (19 * double + 38 * single + embedded + conditioned + last)
