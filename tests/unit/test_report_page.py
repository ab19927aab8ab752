"""The page: one file, nothing fetched, nothing run, whatever texts hold; and the same in Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from inpaint_benchmark.report.album import Album, ModelAlbum
from inpaint_benchmark.report.album.panels import Strip, missing, panel
from inpaint_benchmark.report.documents import as_csv, as_json
from inpaint_benchmark.report.elements import Markup, element
from inpaint_benchmark.report.figures import figures
from inpaint_benchmark.report.markdown import markdown
from inpaint_benchmark.report.page import page
from inpaint_benchmark.report.ratings import Stars
from PIL import Image
from report_scene import make_evaluation, make_report, make_run, make_sample

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\" onload='x' & </style>"


class Elements(HTMLParser):
    """Every element of a page with its attributes, and whether all are closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in ("img", "br", "hr", "meta", "col"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def make_album(report: Any, text: str = "a picture") -> Album:
    image = panel(text, text, Image.new("RGB", (30, 20), "red"))
    results = [Strip(sample.name, [image, image, missing("trial 2", text, (30, 20))]) for sample in report.samples]
    models = {model: ModelAlbum(list(results), [image]) for model in report.run.models}
    return Album([(sample, image) for sample in report.samples], models)


def drawn(text: str = "a picture", **fields: Any) -> str:
    report = make_report(**fields)
    return page(report, make_album(report, text), figures(report))


def test_it_needs_neither_scripts_nor_a_network() -> None:
    text = drawn(baseline=True)
    elements = Elements(text)
    names = {name for name, _ in elements.found}
    assert not names & {"script", "link", "iframe", "object", "form"}
    addresses = re.findall(r"""(?:src|href)=["']([^"']*)""", text)
    assert addresses and all(address.startswith(("data:image/", "#")) for address in addresses)
    assert "url(" not in text and "@import" not in text


def test_whatever_a_text_holds_stays_text() -> None:
    run = make_run(name="r", note=HOSTILE, models=[HOSTILE])
    text = drawn(
        HOSTILE,
        run=run,
        samples=[make_sample(HOSTILE, prompt=HOSTILE, negative_prompt=HOSTILE)],
        rows=[make_evaluation(HOSTILE, device=HOSTILE, cost_per_1k_usd=None, cost_reason=HOSTILE)],
        notes=[HOSTILE],
        failures=[
            {"model": HOSTILE, "tier": "exact", "status": "failed", "error_code": HOSTILE, "jobs": 1, "samples": 1,
             "example_message": HOSTILE, "example_job": HOSTILE}
        ],
    )  # fmt: skip
    elements = Elements(text)
    assert not elements.all("script")
    assert not [a for _, attributes in elements.found for a in attributes if a.startswith("on")]
    assert len(elements.all("style")) == 1


def test_every_picture_says_what_it_shows() -> None:
    assert all(attributes.get("alt") for attributes in Elements(drawn()).all("img"))


def test_links_lead_to_parts_of_the_page() -> None:
    elements = Elements(drawn(baseline=True))
    there = {attributes.get("id") for _, attributes in elements.found}
    assert {str(a["href"])[1:] for a in elements.all("a")} <= there


def test_it_reads_on_phones_and_in_the_dark() -> None:
    text = drawn()
    assert 'content="width=device-width, initial-scale=1"' in text
    assert "prefers-color-scheme: dark" in text


def test_numbers_of_others_are_told_apart() -> None:
    text = drawn(baseline=True)
    assert text.count('<tr class="published">') == 9
    assert text.count('<tr class="measured">') == 2
    assert "never mixed with ours" in text


def test_automatic_metrics_are_labelled_and_give_way_to_stars() -> None:
    assert ">auto</span> seam <b>0.50</b>" in drawn()
    rated = drawn(rows=[make_evaluation(stars=Stars(2.8, 2.5, 3.1))])
    assert "★★★☆" in rated
    assert ">auto</span>" not in rated


def test_an_element_escapes_all_but_markup() -> None:
    assert (
        element("p", "<b>", Markup("<i></i>"), None, ["&"], title='"') == '<p title="&quot;">&lt;b&gt;<i></i>&amp;</p>'
    )
    assert element("img", src="x", alt="", hidden=True, class_=None) == '<img src="x" alt="" hidden>'


def test_markdown_has_both_tables_of_the_review_and_keeps_texts_in_their_cells() -> None:
    text = markdown(make_report(baseline=True, rows=[make_evaluation("a|b*c", device="x|y\n# z")]))
    assert "| Model | Release Date | Architecture | Size | Max Resolution | Key Characteristics |" in text
    assert "| Model | Numbers | Realism | Adaptability | Consistency | Unmask preservation | Reproducibility |" in text
    row = next(line for line in text.splitlines() if line.startswith("| *a"))
    assert len(re.findall(r"(?<!\\)\|", row)) == 15
    assert "| *FLUX.1-Fill-dev* | ⭐⭐⭐☆ | ⭐⭐⭐⭐ |" in text


def test_csv_has_a_row_for_each_trial() -> None:
    columns = ["model", "sample", "cold", "sample_tags", "cost_usd"]
    trial = {"model": "m", "sample": 'a "b", c', "cold": True, "sample_tags": {"style": "é"}, "cost_usd": None}
    rows = list(csv.DictReader(io.StringIO(as_csv(make_report(trial_columns=columns, trials=[trial])))))
    assert rows == [
        {"model": "m", "sample": 'a "b", c', "cold": "true", "sample_tags": '{"style": "é"}', "cost_usd": ""}
    ]


def test_json_holds_everything() -> None:
    document = json.loads(as_json(make_report(baseline=True)))
    assert document["format"] == 1
    assert document["evaluation"][0]["cells"]["consistency"]["automatic"][0]["estimate"]["low"] == 0.4
    assert len(document["published"]) == 9
    assert {"run", "dataset", "criteria", "models", "evaluation", "timing", "pareto_front", "reproducibility", "notes",
            "samples", "trials", "delivered_exact", "failures", "format", "published"} == set(document)  # fmt: skip


@pytest.mark.parametrize("key", json.loads(as_json(make_report())))
def test_the_page_about_benchmarks_tells_of_each_key_of_the_json(key: str) -> None:
    from pathlib import Path

    told = (Path(__file__).parents[2] / "docs" / "benchmarking.md").read_text(encoding="utf-8")
    assert re.search(rf"^\| [^|]*`{key}`[^|]* \|", told, re.MULTILINE)


def test_a_plot_of_costs_gives_way_to_one_of_seconds_where_a_cost_is_unknown() -> None:
    report = make_report()
    for row in report.front:
        row["cost_per_1k_usd"], row["on_front"] = None, None
    assert figures(report)[0].title == "Time and quality"
    assert figures(make_report())[0].title == "Cost and quality"


def test_notes_keep_their_commands_and_names_stay_text_in_markdown() -> None:
    text = markdown(
        make_report(notes=["No result of <b>*sofa*: `inpaint bench resume r_1`."], run=make_run(note="<i>x"))
    )
    assert "> No result of \\<b\\>\\*sofa\\*: `inpaint bench resume r_1`." in text
    assert "\\<i\\>x" in text
