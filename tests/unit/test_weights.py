"""Where weights are found on the disk, and which files of a repository are wanted."""

from __future__ import annotations

from pathlib import Path

import pytest
from inpaint_core.card import ModelCard
from inpaint_core.catalogue import load_catalogue
from inpaint_core.errors import WeightsMissing
from inpaint_core.settings import load_settings
from inpaint_core.weights import Weights
from inpaint_worker.pipelines.hub_errors import hub_errors
from inpaint_worker.pipelines.weights import REVISION_FILE, locate, on_disk, patterns, read_ahead

pytest.importorskip("huggingface_hub", reason="comes with the extra 'diffusers'")
CARDS = load_catalogue()
HARMLESS = {".json", ".txt", ".model", ".jinja", ".safetensors"}
SD2, TURBO = CARDS["stable-diffusion-2-inpainting"], CARDS["flux-1-dev-controlnet-inpainting-beta-turbo"]


def make_folder(root: Path, card: ModelCard, role: str = "base") -> Path:
    """A folder with an empty file of weights in each part of it that `card` names."""
    weights = card.weights[role]
    folder = root / weights.repo
    for part in weights.folders or (".",):
        (folder / part).mkdir(parents=True)
        (folder / part / (weights.file or "model.safetensors")).touch()
    return folder


def pinned(card: ModelCard, revision: str) -> ModelCard:
    """The card with its weights pinned."""
    weights = card.weights["base"].model_copy(update={"revision": revision})
    return card.model_copy(update={"weights": {"base": weights}})


class TestLocating:
    @pytest.mark.parametrize(("note", "revision"), [("abc\n", "abc"), ("\n", None), (None, None)])
    def test_a_folder_is_found_with_the_commit_that_is_noted_in_it(
        self, tmp_path: Path, note: str | None, revision: str | None
    ) -> None:
        folder = make_folder(tmp_path, SD2)
        if note is not None:
            (folder / REVISION_FILE).write_text(note)
        found = locate(SD2, "base", load_settings(weights_dir=tmp_path))
        assert (found.folder, found.revision) == (folder, revision)

    def test_without_a_note_nobody_claims_to_know_the_revision(self, tmp_path: Path) -> None:
        make_folder(tmp_path, SD2)
        assert locate(pinned(SD2, "a" * 40), "base", load_settings(weights_dir=tmp_path)).revision is None

    def test_a_folder_of_another_commit_than_the_card_pins_is_refused(self, tmp_path: Path) -> None:
        (make_folder(tmp_path, SD2) / REVISION_FILE).write_text("b" * 40)
        settings = load_settings(weights_dir=tmp_path)
        assert locate(pinned(SD2, "b" * 40), "base", settings).revision == "b" * 40
        with pytest.raises(WeightsMissing, match=f"holds commit {'b' * 40} .* pins {'a' * 40}"):
            locate(pinned(SD2, "a" * 40), "base", settings)

    def test_a_missing_folder_is_told_with_the_command_that_makes_it(self, tmp_path: Path) -> None:
        with pytest.raises(WeightsMissing) as raised:
            locate(SD2, "base", load_settings(weights_dir=tmp_path))
        assert raised.value.message == (
            f"{SD2.name} needs {SD2.weights['base'].repo}, and there is no {tmp_path / SD2.weights['base'].repo}. Run: "
            f"inpaint models pull {SD2.name} --to {tmp_path}"
        )

    def test_a_folder_without_the_file_is_told_before_a_job_needs_it(self, tmp_path: Path) -> None:
        folder = make_folder(tmp_path, TURBO, "lora")
        name = str(TURBO.weights["lora"].file)
        (folder / name).rename(folder / "other.safetensors")
        with pytest.raises(WeightsMissing, match=f"{name}. Run: inpaint models pull {TURBO.name} --to {tmp_path}"):
            locate(TURBO, "lora", load_settings(weights_dir=tmp_path))

    def test_a_folder_counts_as_there_with_all_its_parts_only(self, tmp_path: Path) -> None:
        settings = load_settings(weights_dir=tmp_path)
        assert not on_disk(SD2, "base", settings)
        folder = make_folder(tmp_path, SD2)
        assert on_disk(SD2, "base", settings)
        (folder / "unet" / "model.safetensors").unlink()
        (folder / "unet").rmdir()
        assert not on_disk(SD2, "base", settings)

    def test_a_single_file_counts_as_there_if_it_is(self, tmp_path: Path) -> None:
        settings = load_settings(weights_dir=tmp_path)
        folder = make_folder(tmp_path, TURBO, "lora")
        assert on_disk(TURBO, "lora", settings)
        (folder / str(TURBO.weights["lora"].file)).rename(folder / "other.safetensors")
        assert not on_disk(TURBO, "lora", settings)


class TestWanted:
    @pytest.mark.parametrize("card", CARDS.values(), ids=lambda card: card.name)
    def test_no_card_ever_asks_for_a_file_that_can_run_code(self, card: ModelCard) -> None:
        for weights in card.weights.values():
            assert {Path(pattern).suffix for pattern in patterns(weights)} <= HARMLESS

    def test_one_file_is_all_that_is_wanted_of_a_lora(self) -> None:
        assert patterns(TURBO.weights["lora"]) == ["diffusion_pytorch_model.safetensors"]

    def test_of_a_variant_nothing_else_is_wanted(self) -> None:
        found = patterns(Weights(repo="a/b", variant="fp16", folders=("unet",)))
        assert [pattern for pattern in found if pattern.endswith(".safetensors")] == [
            "unet/*.fp16.safetensors",
            "unet/*.fp16-*.safetensors",
        ]
        assert "*.safetensors" in patterns(Weights(repo="a/b"))

    def test_what_is_read_ahead_of_a_variant_may_be_in_several_files(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # As if the system had not just written the files, which keeps them in memory.
        monkeypatch.setattr("inpaint_worker.pipelines.weights.cached_share", lambda _paths: 0.0)
        for name, size in (("m.fp16-00001-of-2.safetensors", 1), ("m.fp16.safetensors", 2), ("m.fp16x.safetensors", 4)):
            (tmp_path / name).write_bytes(bytes(size))
        read: list[int] = []
        read_ahead(tmp_path, "fp16", read.append)
        assert read == [1, 2]


def test_a_full_disk_is_told_as_one() -> None:
    words = r"cannot be written .*No space left.*: x.*It takes 2.6 GB. Make room"
    with pytest.raises(WeightsMissing, match=words), hub_errors(SD2, SD2.weights["base"]):
        raise OSError(28, "No space left on device", "x")


def test_errors_that_are_nobodys_pass() -> None:
    with pytest.raises(ZeroDivisionError), hub_errors(SD2, SD2.weights["base"]):
        _ = 1 / 0
