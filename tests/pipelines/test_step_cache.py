"""The first-block cache, on blocks whose sums can be made by hand, and beside diffusers' transformers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from diffusers import FluxTransformer2DModel, QwenImageTransformer2DModel, SD3Transformer2DModel
from inpaint_worker.pipelines.step_cache import StepCache

# diffusers warns of its own import.
pytestmark = pytest.mark.filterwarnings("ignore:.FluxPosEmbed. is deprecated:FutureWarning")


class Adds(torch.nn.Module):
    """A block that adds a number, and counts how often."""

    def __init__(self, number: float) -> None:
        super().__init__()
        self.number = number
        self.calls = 0
        self.context_pre_only = False

    def forward(self, hidden_states: torch.Tensor, encoder_hidden_states: Any = None) -> tuple[Any, torch.Tensor]:
        self.calls += 1
        return encoder_hidden_states, hidden_states + self.number


class Toy(torch.nn.Module):
    """Loops over its blocks as transformers of diffusers do, with hints between them."""

    def __init__(self, *numbers: float) -> None:
        super().__init__()
        self.blocks = tuple(Adds(number) for number in numbers)
        self.transformer_blocks = torch.nn.ModuleList(self.blocks[:-1])
        self.single_transformer_blocks = torch.nn.ModuleList(self.blocks[-1:])

    def forward(self, tokens: torch.Tensor, hint: float | None = None) -> torch.Tensor:
        for blocks in (self.transformer_blocks, self.single_transformer_blocks):
            for block in blocks:
                assert not block.context_pre_only
                _, tokens = block(hidden_states=tokens, encoder_hidden_states=None)
                if hint is not None:
                    tokens = tokens + hint
        return tokens


ONE = torch.ones(1, 4, 2)


def test_a_guessed_pass_asks_the_first_block_alone_and_adds_what_the_others_added() -> None:
    toy, guessed = Toy(1, 2, 3, 4), list[int]()
    cache = StepCache(0.1, guessed.append)
    with cache.over(toy):
        assert torch.equal(toy(ONE), ONE * 11)
        cache.step_done()
        toy.blocks[0].number = 1.05  # says nearly the same
        toy.blocks[2].number = 100  # is not asked
        assert torch.allclose(toy(ONE * 5), ONE * (5 + 1.05 + 9))
    assert guessed == [1]
    assert [block.calls for block in toy.blocks] == [2, 1, 1, 1]


def test_a_step_is_computed_that_differs_as_much_as_the_threshold_from_the_last_computed() -> None:
    toy, guessed = Toy(1, 2, 3), list[int]()
    cache = StepCache(0.1, guessed.append)
    with cache.over(toy):
        for said in (1, 1.06, 1.09, 1.12, 1.2, 1.25, 1.3):
            toy.blocks[0].number = said
            toy(ONE)
            cache.step_done()
    # 1.12 is compared with 1, not with 1.09; then 1.2 with 1.12, and 1.25 as well.
    assert toy.blocks[1].calls == 3 and len(guessed) == 4


def test_hints_are_those_of_the_step_itself_and_count_once() -> None:
    toy = Toy(1, 2, 3, 4)
    cache = StepCache(0.1, lambda _pictures: None)
    with cache.over(toy):
        for hint in (0.5, 0.25, None, 7.0):
            assert torch.allclose(toy(ONE, hint), ONE * 11 + 4 * (hint or 0))
            cache.step_done()
    assert toy.blocks[1].calls == 1


def test_passes_of_one_step_have_memories_of_their_own() -> None:
    toy, guessed = Toy(1, 2, 3), list[int]()
    cache = StepCache(0.1, guessed.append)
    with cache.over(toy):
        for step in range(3):
            for said in (1, 5):
                toy.blocks[0].number, toy.blocks[1].number = said, said
                assert torch.equal(toy(ONE), ONE * (1 + said + said + 3))
            cache.step_done()
            assert len(guessed) == 2 * step


def test_another_batch_is_computed() -> None:
    toy, guessed = Toy(1, 2, 3), list[int]()
    cache = StepCache(0.1, guessed.append)
    with cache.over(toy):
        for tokens in (ONE, ONE, torch.ones(2, 4, 2), torch.ones(2, 4, 2), torch.ones(2, 8, 2)):
            toy(tokens)
            cache.step_done()
    assert guessed == [1, 2]


@pytest.mark.parametrize("said", [float("nan"), float("inf"), 0.0])
def test_what_is_no_number_and_nothing_at_all_is_computed(said: float) -> None:
    toy, guessed = Toy(said, 2, 3), list[int]()
    cache = StepCache(0.1, guessed.append)
    with cache.over(toy):
        for _ in range(3):
            toy(ONE)
            cache.step_done()
    assert not guessed


def test_blocks_keep_their_names_and_places() -> None:
    toy = Toy(1, 2, 3, 4)
    names = [name for name, _ in toy.named_modules()]
    with StepCache(0.1, lambda _pictures: None).over(toy):
        assert [name for name, _ in toy.named_modules()] == names
        assert len(toy.transformer_blocks) == 3 and toy.transformer_blocks[1] is toy.blocks[1]
    assert type(toy.transformer_blocks) is type(toy.single_transformer_blocks) is torch.nn.ModuleList


_TOKENS: dict[str, Any] = {"hidden_states": torch.linspace(-1, 1, 64).reshape(1, 16, 4)}
_TEXT: dict[str, Any] = {
    "encoder_hidden_states": torch.linspace(-1, 1, 80).reshape(1, 5, 16),
    "timestep": torch.tensor([0.5]),
    "return_dict": False,
}


def _hints(count: int) -> list[torch.Tensor]:
    return [torch.linspace(-1, 1 + number, 256).reshape(1, 16, 16) for number in range(count)]


def _flux() -> tuple[torch.nn.Module, dict[str, Any]]:
    torch.manual_seed(0)
    shape = {"num_layers": 2, "num_single_layers": 2, "attention_head_dim": 8, "num_attention_heads": 2}
    model = FluxTransformer2DModel(
        in_channels=4, joint_attention_dim=16, pooled_projection_dim=8, axes_dims_rope=(2, 2, 4), **shape
    )
    ids = {"img_ids": torch.zeros(16, 3), "txt_ids": torch.zeros(5, 3), "pooled_projections": torch.ones(1, 8)}
    hints = {"controlnet_block_samples": _hints(2), "controlnet_single_block_samples": _hints(1)}
    return model, {**_TOKENS, **_TEXT, **ids, **hints}


def _sd3() -> tuple[torch.nn.Module, dict[str, Any]]:
    torch.manual_seed(0)
    model = SD3Transformer2DModel(
        sample_size=8, in_channels=4, out_channels=4, num_layers=3, attention_head_dim=8, num_attention_heads=2,
        joint_attention_dim=16, caption_projection_dim=16, pooled_projection_dim=8, pos_embed_max_size=8,
    )  # fmt: skip
    pictures = {"hidden_states": torch.linspace(-1, 1, 256).reshape(1, 4, 8, 8)}
    return model, {
        **_TEXT, **pictures, "pooled_projections": torch.ones(1, 8), "block_controlnet_hidden_states": _hints(3)
    }  # fmt: skip


def _qwen() -> tuple[torch.nn.Module, dict[str, Any]]:
    torch.manual_seed(0)
    model = QwenImageTransformer2DModel(
        in_channels=4, out_channels=4, num_layers=3, attention_head_dim=8, num_attention_heads=2,
        joint_attention_dim=16, axes_dims_rope=(2, 2, 4), patch_size=1,
    )  # fmt: skip
    return model, {
        **_TOKENS, **_TEXT, "img_shapes": [[(1, 4, 4)]], "controlnet_block_samples": _hints(2)
    }  # fmt: skip


@pytest.mark.parametrize("make", [_flux, _sd3, _qwen])
def test_of_the_same_input_it_guesses_what_is_computed(make: Callable[[], Any]) -> None:
    model, given = make()
    model.eval()
    plain = {name: value for name, value in given.items() if "controlnet" not in name}
    guessed: list[int] = []
    with torch.no_grad():
        for asked in (given, plain):
            exact = model(**asked)[0]
            cache = StepCache(0.1, guessed.append)
            with cache.over(model):
                assert torch.equal(model(**asked)[0], exact)
                cache.step_done()
                assert torch.allclose(model(**asked)[0], exact, atol=1e-5)
            assert torch.equal(model(**asked)[0], exact)
        assert not torch.allclose(model(**given)[0], model(**plain)[0], atol=1e-2)
    assert guessed == [1, 1]
