"""A run with pictures, a rater, a session and a web server over them: what tests of the pages begin with."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from factories import encode, make_image, make_mask
from inpaint_core.catalogue import load_catalogue
from inpaint_core.images import FORMATS, ImageFacts
from inpaint_core.s3 import S3Store
from inpaint_core.storage import input_ref
from inpaint_db.dataset_queries import NewSample, insert_version, list_samples
from inpaint_db.raters import make_rater
from inpaint_db.rating_sessions import make_session
from inpaint_db.result_queries import ImportedResult, insert_results
from inpaint_db.run_queries import RunPlan, insert_run
from inpaint_db.session import Database
from inpaint_db.submissions import insert_images, register_models
from PIL import Image, ImageFilter

MODELS = ("opencv-telea", "opencv-ns")
ROOMS = Path(__file__).parents[1] / "benchmark/inpaint_benchmark/datasets/furniture_rooms"


@dataclass(frozen=True, slots=True)
class Rated:
    """A session, and the link that leads to it."""

    session_id: UUID
    rater_id: UUID
    token: str


class WebScene:
    """Writes what the pages show."""

    def __init__(self, database: Database, store: S3Store) -> None:
        self.database = database
        self.store = store

    def put(self, data: bytes, *, masked: int | None = None) -> str:
        """Store a picture as an input; its sha256."""
        with Image.open(io.BytesIO(data)) as image:
            kind, mode, size = str(image.format), image.mode, image.size
        facts = ImageFacts(hashlib.sha256(data).hexdigest(), kind, mode, *size, len(data), masked)
        ref = input_ref(self.store.bucket, facts.sha256, facts.extension)
        self.store.put(ref, data, FORMATS[kind][1])
        with self.database.begin() as connection:
            insert_images(connection, [facts])
        return facts.sha256

    def run(
        self,
        name: str = "rooms-1",
        *,
        samples: int = 2,
        trials: int = 2,
        models: tuple[str, ...] = MODELS,
        prompts: Mapping[int, str] | None = None,
        rooms: bool = False,
        result: bytes | None = None,
        sample_name: str = "sample",
        tier: str = "exact",
    ) -> UUID:
        """A run whose trials all have results that were made elsewhere. `rooms`: of real pictures, else small ones."""
        sources, news = [], []
        files = sorted((ROOMS / "source").glob("*.webp"))
        for number in range(samples):
            if rooms:
                file = files[number % len(files)]
                source, mask = file.read_bytes(), (ROOMS / "mask" / f"{file.stem}.png").read_bytes()
                title = file.stem
            else:
                source, mask = encode(make_image(seed=number)), encode(make_mask())
                title = f"{sample_name}-{number + 1}"
            sources.append((title, source))
            with Image.open(io.BytesIO(source)) as image:
                width, height = image.size
            images = {"source": self.put(source), "mask": self.put(mask, masked=width * height // 4)}
            prompt = (prompts or {}).get(number, "a green sofa with two cushions, in soft light from the window")
            news.append(NewSample(title, images, width, height, 0.25, prompt=prompt))
        results = {
            (model, title, trial): self.put(result or _result(source, title, place, trial, rooms))
            for title, source in sources
            for place, model in enumerate(models)
            for trial in range(1, trials + 1)
        }
        with self.database.begin() as connection:
            cards = load_catalogue()
            register_models(connection, [cards.card(model) for model in models])
            version, _ = insert_version(connection, name, None, hashlib.sha256(name.encode()).hexdigest(), news)
            plan = RunPlan(version.id, list(models), None, list(range(1, trials + 1)), imported=True, tier=tier)
            run = insert_run(connection, name, plan, [])
            for model in models:
                made = [
                    ImportedResult(sample.id, trial, results[model, sample.name, trial], inference_s=0.2 * trial)
                    for sample in list_samples(connection, version.id)
                    for trial in range(1, trials + 1)
                ]
                insert_results(connection, run, model, made)
        return run.id

    def session(
        self,
        run_id: UUID,
        rater: str = "Ada",
        *,
        name: str = "Furniture, first look",
        min_dwell_s: float = 0,
        check_share: float = 0,
        seed: int = 1,
        days: float = 30,
    ) -> Rated:
        """A session of a rater, who gets a new link."""
        with self.database.begin() as connection:
            who, token = make_rater(connection, rater, days=days)
            made = make_session(
                connection, who.id, name, run_id=run_id, seed=seed, check_share=check_share, min_dwell_s=min_dwell_s
            )
        return Rated(made.id, who.id, token)


def _result(source: bytes, title: str, place: int, trial: int, rooms: bool) -> bytes:
    """A stand-in for what a model makes: of a real room the room with its furniture, more or less well."""
    if rooms:
        with Image.open(ROOMS / "truth" / f"{title}.webp") as truth, Image.open(io.BytesIO(source)) as before:
            mask = Image.open(ROOMS / "mask" / f"{title}.png").convert("L")
            made = truth.convert("RGB")
            # Each trial is another picture: equal ones are rated once.
            blur = 2 * place + trial if place else trial - 1
            if blur:
                made = made.filter(ImageFilter.GaussianBlur(blur))
            return encode(Image.composite(made, before.convert("RGB"), mask))
    with Image.open(io.BytesIO(source)) as image:
        made = image.convert("RGB")
        made.paste((40 * trial, 60 + 90 * place, 200), (30, 20, 60, 44))
        # What a careless model leaves in its files.
        return encode(made, "JPEG", quality=95, exif=_exif(MODELS[place % 2]), comment=b"made by " + title.encode())


def _exif(model: str) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0131] = f"Software: {model}"
    exif[0x010E] = f"ImageDescription: {model}"
    return exif
