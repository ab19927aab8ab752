"""What text encoders made of a prompt is remembered, and is as good as fresh."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="comes with the extra 'diffusers'")
from inpaint_worker.pipelines import prompts  # noqa: E402
from inpaint_worker.pipelines.prompts import remember_prompts  # noqa: E402


class Pipe:
    """Counts how often it encodes."""

    def __init__(self) -> None:
        self.encoded: list[Any] = []

    def encode_prompt(self, prompt: Any, device: Any = None, **options: Any) -> tuple[Any, ...]:
        """Two tensors, one of them in a list, and nothing."""
        self.encoded.append(prompt)
        number = float(len(str(prompt)) + len(str(options)))
        return torch.full((2, 3), number), [torch.full((1,), -number)], None


def remembering() -> tuple[Pipe, Any]:
    """A pipe that remembers, and what it encodes with."""
    pipe = Pipe()
    remember_prompts(pipe)
    return pipe, pipe.encode_prompt


def test_a_remembered_prompt_equals_a_fresh_one_and_is_encoded_once() -> None:
    pipe, encode = remembering()
    first, again, fresh = encode("a cup", device="cpu"), encode("a cup", device="cpu"), Pipe().encode_prompt("a cup")
    assert pipe.encoded == ["a cup"]
    for found in (first, again):
        assert torch.equal(found[0], fresh[0]) and torch.equal(found[1][0], fresh[1][0]) and found[2] is None


def test_what_a_pipeline_writes_into_it_is_not_remembered() -> None:
    _, encode = remembering()
    for _ in range(2):
        found = encode("a cup")
        assert found[0][0, 0] != 9 and found[1][0] != 9
        found[0].fill_(9)
        found[1][0].fill_(9)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((("a",), {}), (("b",), {})),
        ((("a",), {"clip_skip": 1}), (("a",), {"clip_skip": 2})),
        ((("a",), {"cfg": True}), (("a",), {"cfg": 1})),
        (((["a", "b"],), {}), ((["a"],), {})),
        ((("a",), {"device": torch.device("cpu")}), (("a",), {"device": torch.device("meta")})),
    ],
)
def test_other_arguments_are_another_prompt(one: Any, other: Any) -> None:
    pipe, encode = remembering()
    for args, kwargs in (one, other, one, other):
        encode(*args, **kwargs)
    assert len(pipe.encoded) == 2


def test_the_order_of_keywords_does_not_matter() -> None:
    pipe, encode = remembering()
    encode("a", x=1, y=2)
    encode("a", y=2, x=1)
    assert len(pipe.encoded) == 1


@pytest.mark.parametrize("embeds", [torch.zeros(2), [torch.zeros(2)], {"a": 1}])
def test_a_call_with_tensors_passes_by(embeds: Any) -> None:
    pipe, encode = remembering()
    encode("a", prompt_embeds=embeds)
    encode("a", prompt_embeds=embeds)
    assert len(pipe.encoded) == 2


def test_the_prompts_that_were_used_last_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompts, "_REMEMBERED", 2)
    pipe, encode = remembering()
    for prompt in ("a", "b", "a", "c", "a", "b"):
        encode(prompt)
    assert pipe.encoded == ["a", "b", "c", "b"]


def test_a_prompt_that_could_not_be_encoded_is_not_remembered() -> None:
    class Failing(Pipe):
        def encode_prompt(self, prompt: Any, device: Any = None, **options: Any) -> tuple[Any, ...]:
            if not self.encoded:
                self.encoded.append(None)
                raise torch.OutOfMemoryError
            return super().encode_prompt(prompt)

    pipe = Failing()
    remember_prompts(pipe)
    with pytest.raises(torch.OutOfMemoryError):
        pipe.encode_prompt("a")
    assert pipe.encode_prompt("a")[0].shape == (2, 3)
