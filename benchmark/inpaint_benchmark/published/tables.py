"""The two tables of a publication in the form that the review gave them: Markdown, stars out of four."""

from __future__ import annotations

from collections.abc import Sequence

from inpaint_db.published_queries import PublishedRow

MODELS_HEAD = ("Model", "Release Date", "Architecture", "Size", "Max Resolution", "Key Characteristics")
EVALUATION_HEAD = (
    "Model",
    "Realism",
    "Adaptability",
    "Consistency",
    "Unmask preservation",
    "Reproducibility",
    "GPU memory <br> (GB)",
    "Inference time <br> (s/image)",
    "Cost <br> ($/1k edits)",
)
MOST_STARS = 4


def stars(number: int | None) -> str:
    """⭐⭐⭐☆, or - if none were given."""
    return "-" if number is None else "⭐" * number + "☆" * (MOST_STARS - number)


def models_table(rows: Sequence[PublishedRow]) -> list[tuple[str, ...]]:
    """Cells of the table of models, in its own order, without the head."""
    names = ("release_date", "architecture", "size", "max_resolution", "key_characteristics")
    with_facts = sorted((row.facts for row in rows if row.facts), key=lambda facts: facts["position"])
    return [(f"`{facts['model']}`", *(facts[name] for name in names)) for facts in with_facts]


def evaluation_table(rows: Sequence[PublishedRow]) -> list[tuple[str, ...]]:
    """Cells of the table of the evaluation, without the head."""
    return [
        (
            f"*{row.model}*",
            *map(stars, (row.realism, row.adaptability, row.consistency, row.preservation, row.reproducibility)),
            "-" if row.gpu_memory_gb is None else f"{row.gpu_memory_gb:g}",
            "-" if row.inference_s is None else f"{row.inference_s:.1f}",
            "-" if row.cost_per_1k_usd is None else f"{row.cost_per_1k_usd:g}",
        )
        for row in rows
    ]
