"""docs/sql.md: each query runs and answers with the columns of the table below it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from bench_scene import Scene, painted
from factories import make_rating_session
from inpaint_core.ids import new_id
from inpaint_db.rating_queries import save_rating
from inpaint_db.views import ANALYST_VIEWS
from sqlalchemy import Connection

PAGE = (Path(__file__).parents[2] / "docs" / "sql.md").read_text(encoding="utf-8")
#: A heading, its query, and the header of the sample answer.
QUESTIONS = re.findall(
    r"^## ([^\n]+)\n\n```sql\n(.*?);\n```\n\n\| ([^\n]+) \|\n\|[-|]+\|\n((?:\|[^\n]*\n)+)",
    PAGE,
    re.MULTILINE | re.DOTALL,
)

FEBRUARY, MARCH = (datetime(2026, month, 2, 12, tzinfo=UTC) for month in (2, 3))
SAMPLES = ("armchair", "mirror", "rug")
#: Seconds, likeness, seam, what it changes outside by itself.
MODELS = {
    "flux-1-fill-dev": (24.0, 0.92, 1.1, 0.9),
    "stable-diffusion-2-inpainting": (3.0, 0.78, 1.6, 2.4),
    "kandinsky-2-2-decoder-inpaint": (5.0, 0.75, 1.7, 3.8),
    "opencv-telea": (0.1, 0.70, 1.2, 0.0),
}


@pytest.fixture
def scene(connection: Connection) -> Scene:
    """Two months of benchmarks, and production beside them."""
    scene = Scene(connection)
    fill(scene)
    return scene


def fill(scene: Scene) -> None:
    scene.price(1.8, FEBRUARY, MARCH + timedelta(days=10), device_kind="cuda")
    scene.price(1.2, MARCH + timedelta(days=10), device_kind="cuda")
    scene.price(0.1, FEBRUARY, device_kind="cpu")
    rooms = scene.dataset(*SAMPLES)
    for run, at in (("2026-02", FEBRUARY), ("2026-03", MARCH)):
        scene.run(run, rooms, list(MODELS), seeds=[1, 1, 2], at=at)
        for model in MODELS:
            fill_model(scene, run, model, at)
    fill_tier(scene, rooms)
    fill_production(scene)


def fill_tier(scene: Scene, rooms: UUID) -> None:
    """Two of the models in the tier fast, and stars for the same results in both."""
    #: Loss, likeness, stars lost, and what is left out.
    models: dict[str, tuple[float, float, int, dict[str, float]]] = {
        "flux-1-fill-dev": (0.9, 0.97, 0, {"step_cache": 0.08}),
        "stable-diffusion-2-inpainting": (2.6, 0.91, 1, {"guidance_until": 0.5}),
    }
    at = MARCH + timedelta(hours=6)
    scene.run("2026-03-fast", rooms, list(models), seeds=[1], at=at, tier="fast")
    for model, (delta_e, ssim, _, left_out) in models.items():
        for place, sample in enumerate(SAMPLES):
            work = {"steps": 28, "tier": "fast", "network_passes": 28, "network_passes_computed": 15} | left_out
            attempt = painted(28, (1024, 1024)) | {"inference_s": MODELS[model][0] * 0.55, "parameters": work}
            scene.trial("2026-03-fast", model, sample, at=at, device=("cuda", "NVIDIA L40S"), attempts=[attempt])
            version = "5f6e7d8c" if model == "flux-1-fill-dev" else "1a2b3c4d"
            scene.version("2026-03-fast", model, sample, f"base {version}, bfloat16")
            scene.measure(
                "2026-03-fast", model, sample, exact_delta_e=delta_e + place / 10, exact_ssim=ssim, exact_psnr=31.0
            )
    for run in ("2026-03", "2026-03-fast"):
        run_id = scene.one("SELECT id FROM run WHERE name = :run", run=run)["id"]
        session = make_rating_session(scene.connection, rater=f"Ada of {run}", run_id=run_id, check_share=0)
        items = scene.ask("SELECT id, model FROM rating_item WHERE session_id = :id AND kind = 'output'", id=session.id)
        for item in items:
            if item["model"] in models:
                stars = 3 - (models[item["model"]][2] if run == "2026-03-fast" else 0)
                save_rating(
                    scene.connection, session.rater_id, rating_id=new_id(), item_id=item["id"], criterion="realism",
                    stars=stars,
                )  # fmt: skip


def fill_model(scene: Scene, run: str, model: str, at: datetime) -> None:
    seconds, ssim, seam, outside = MODELS[model]
    upgraded = run == "2026-03" and model == "flux-1-fill-dev"
    local = model.startswith("opencv")
    for place, sample in enumerate(SAMPLES):
        for number in (1, 2, 3):
            if sample == "mirror" and not local:
                error = "gpu_memory" if model.startswith("flux") else "model_failed"
                scene.trial(run, model, sample, number, "failed", at=at, error_code=error)
                continue
            cold = place == 0 and number == 1
            attempt = {"inference_s": seconds * (2.5 if cold else 1 + number / 50), "first_after_load": cold}
            window = {} if local else painted(28, (1024, 1024))
            device = ("cpu", "EPYC 9354") if local else ("cuda", "NVIDIA L40S")
            scene.trial(run, model, sample, number, at=at, device=device, attempts=[attempt | window])
            scene.version(run, model, sample, f"base {'5f6e7d8c' if upgraded else '1a2b3c4d'}, bfloat16", number)
            blank = local and sample == "mirror"
            scene.measure(
                run, model, sample, number, raw_outside_delta_e=outside, outside_changed_share=0.0,
                inside_blank=float(blank), seam_ratio=seam + place / 5,
                truth_effect_ssim=ssim + (0.02 if upgraded else 0) - place / 50 - number / 500,
            )  # fmt: skip
        if sample != "mirror":
            scene.measure(
                run, model, sample, None, trials_ssim_mean=0.99 if local else ssim - 0.1,
                trials_delta_e_worst=0.0 if local else 9.0 + place, trials_same_seed_identical=1.0,
            )  # fmt: skip


def fill_production(scene: Scene) -> None:
    for number in range(40):
        at = MARCH + timedelta(hours=12 * number)
        attempt = {"inference_s": 22.0 + number % 5, "queue_wait_s": 5.0 * (number % 9), "gpu_wait_s": 1.0}
        scene.job("flux-1-fill-dev", at=at, device=("cuda", "NVIDIA L40S"), attempts=[attempt])
    for _ in range(2):
        scene.job("flux-1-fill-dev", "failed", at=MARCH, error_code="invalid_image")


def cell(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_the_page_asks_thirteen_questions() -> None:
    assert len(QUESTIONS) == PAGE.count("```sql") == 13


@pytest.mark.parametrize(("title", "query", "header", "rows"), QUESTIONS, ids=[q[0][:40] for q in QUESTIONS])
def test_a_question_is_answered_with_the_columns_of_the_sample(
    scene: Scene, title: str, query: str, header: str, rows: str
) -> None:
    answer = scene.connection.exec_driver_sql(query, execution_options={"no_parameters": True})
    assert list(answer.keys()) == header.split(" | ")
    # The sample is what these rows answer, so that nobody reads numbers that no query gave.
    found = ["| " + " | ".join(map(cell, row)) + " |" for row in answer]
    assert found == rows.splitlines() and found


@pytest.mark.parametrize("view", ANALYST_VIEWS)
def test_every_view_is_on_the_page(view: str) -> None:
    assert f"| `{view.removeprefix('bench.')}` |" in PAGE
