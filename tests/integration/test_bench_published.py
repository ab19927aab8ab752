"""The review's evaluation out of the database, row by row as it was published."""

from __future__ import annotations

import pytest
from inpaint_benchmark.published import ensure_published, evaluation_table, import_published, models_table
from inpaint_core.errors import InvalidRequest
from inpaint_db.published_queries import list_published
from inpaint_db.runs import Published
from sqlalchemy import Connection, insert, text

#: As published, but for two commas in the last column.
EVALUATION = """
| *FLUX.1-Fill-dev*                                  | ⭐⭐⭐☆          | ⭐⭐⭐⭐          | ⭐⭐⭐☆          | ⭐⭐⭐⭐               | ⭐⭐⭐⭐           | 38                    | 26.5                | 8.8                      |
| *FLUX.1-Fill-dev-nf4*                              | ⭐⭐⭐☆          | ⭐⭐⭐⭐          | ⭐⭐⭐☆          | ⭐⭐⭐⭐               | ⭐⭐⭐⭐           | 20                    | 26.5                | 8.8                      |
| *FLUX.1-dev-Controlnet-Inpainting-Beta*           | ⭐⭐☆☆          | ⭐⭐☆☆          | ⭐⭐⭐☆          | ⭐⭐⭐⭐               | ⭐⭐⭐☆           | 39                     | 14.7                | 4.9                      |
| *FLUX.1-dev-Controlnet-Inpainting-Beta-Turbo*     | ⭐⭐☆☆          | ⭐⭐☆☆          | ⭐⭐☆☆          | ⭐⭐⭐⭐               | ⭐⭐⭐☆           | 40                    | 4.5                 | 1.5                      |
| *DALL-E 2*                                        | ⭐⭐☆☆          | ⭐☆☆☆          | ⭐⭐☆☆          | ⭐⭐⭐⭐               | ⭐⭐☆☆           | -                     | 14.5                | 20                     |
| *stable-diffusion-xl-1.0-inpainting-0.1*          | ⭐⭐☆☆          | ⭐☆☆☆          | ⭐⭐☆☆          | ⭐☆☆☆               | ⭐⭐☆☆           | 10                    | 2.1                 | 0.7                      |
| *stable-diffusion-2-inpainting*                   | ⭐☆☆☆          | ⭐☆☆☆          | ⭐☆☆☆          | ⭐☆☆☆               | ⭐⭐☆☆           | 4                     | 1.3                 | 0.4                      |
| *kandinsky-2-2-decoder-inpaint*                   | ⭐⭐☆☆          | ⭐☆☆☆          | ⭐☆☆☆          | ⭐☆☆☆               | ⭐☆☆☆           | 13                    | 9.3                 | 3.1                      |
| *SD3-Controlnet-Inpainting*                       | ☆☆☆☆          | ⭐⭐☆☆          | ⭐☆☆☆          | ☆☆☆☆               | ⭐⭐☆☆           | 26                    | 7.0                 | 2.3                      |
""".strip().splitlines()  # noqa: E501
MODELS = ("FLUX.1-Fill-dev-nf4", "FLUX.1-Fill-dev", "FLUX.1-dev-Controlnet-Inpainting-Beta",
          "FLUX.1-dev-Controlnet-Inpainting-Beta-Turbo", "SDXL-1-0-inpainting", "SD3-Controlnet-Inpainting",
          "kandinsky-2-2-decoder-inpaint", "SD-2-inpainting", "DALL-E-2")  # fmt: skip


def cells(line: str) -> tuple[str, ...]:
    return tuple(cell.strip() for cell in line.strip("|").split("|"))


@pytest.mark.parametrize(("place", "line"), list(enumerate(EVALUATION)), ids=[cells(line)[0] for line in EVALUATION])
def test_each_row_of_the_evaluation_comes_out_as_it_was_published(
    connection: Connection, place: int, line: str
) -> None:
    assert evaluation_table(import_published(connection, "review"))[place] == cells(line)


def test_the_table_of_models_has_its_own_order_and_words(connection: Connection) -> None:
    rows = models_table(import_published(connection, "review"))
    assert tuple(row[0].strip("`") for row in rows) == MODELS
    assert rows[7][1:5] == ("Nov 23, 2022", "U-Net based diffusion process", "865M", "512x512")


def test_stars_are_numbers_that_sql_can_ask_for(connection: Connection) -> None:
    import_published(connection, "review")
    best = connection.scalars(
        text("SELECT card FROM published WHERE source = 'review' AND realism >= 3 AND cost_per_1k_usd < 10 ORDER BY 1")
    ).all()
    assert best == ["flux-1-fill-dev", "flux-1-fill-dev-nf4"]


def test_importing_again_changes_nothing_and_replaces_what_is_no_longer_said(connection: Connection) -> None:
    first = import_published(connection, "review")
    connection.execute(insert(Published).values(source="review", model="gone", position=99, facts={}))
    connection.execute(text("UPDATE published SET realism = 0 WHERE source = 'review'"))
    assert import_published(connection, "review") == first
    assert len(first) == 9


def test_a_baseline_brings_itself_in_once(connection: Connection) -> None:
    assert len(ensure_published(connection, "review")) == 9
    connection.execute(text("UPDATE published SET gpu_memory_gb = 1 WHERE model = 'DALL-E 2'"))
    assert {row.gpu_memory_gb for row in ensure_published(connection, "review") if row.card == "dall-e-2"} == {1}


def test_another_publication_is_left_alone(connection: Connection) -> None:
    connection.execute(insert(Published).values(source="elsewhere", model="one", position=1, facts={}))
    import_published(connection, "review")
    assert [row.model for row in list_published(connection, "elsewhere")] == ["one"]


def test_an_unknown_baseline_is_refused(connection: Connection) -> None:
    with pytest.raises(InvalidRequest, match="no publication"):
        ensure_published(connection, "nobody")
