"""What a rater is shown in which order: drawn from a seed, with checks hidden among the real pictures."""

from __future__ import annotations

import math
import random
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from uuid import UUID

#: Between an item and its hidden repeat lie so many others, where there are as many.
_GAP = 10
_CHECKS = ("untouched", "damaged", "repeat")


@dataclass(frozen=True, slots=True)
class Subject:
    """What can be rated. `kind`: "output" or "trials"; see `inpaint_db.ratings.RatingItem`."""

    kind: str
    model: str
    run_id: UUID | None
    sample_id: UUID | None
    trial_ids: tuple[UUID, ...]
    job_id: UUID | None


@dataclass(frozen=True, slots=True)
class PlannedItem:
    """A subject and why it is shown. `repeat_of`: whose real item a repeat shows again."""

    subject: Subject
    purpose: str = "real"
    repeat_of: Subject | None = None
    damage_seed: int | None = None


def draw_order(
    subjects: Sequence[Subject], seed: int, check_share: float, limit: int | None = None
) -> list[PlannedItem]:
    """The items of a session: equal arguments give an equal order.

    All pictures come first, then all sets of trials, since the two are looked at differently. `check_share`: so many
    checks per picture, rounded up, in turn an untouched source, a damaged result and a repeat, which of them first
    being drawn; and so many repeats per set. `limit`: at most so many pictures, of samples that are drawn whole, so
    that models can be compared on them; at least one sample.
    """
    drawing = random.Random(seed)  # noqa: S311  (to be repeated, not to be secret)
    kept = _some_samples(subjects, limit, drawing) if limit is not None else list(subjects)
    outputs = [PlannedItem(subject) for subject in kept if subject.kind == "output"]
    trials = [PlannedItem(subject) for subject in kept if subject.kind == "trials"]
    drawing.shuffle(outputs)
    drawing.shuffle(trials)
    return [
        *_with_checks(outputs, _CHECKS, math.ceil(check_share * len(outputs)), drawing),
        *_with_checks(trials, ("repeat",), math.ceil(check_share * len(trials)), drawing),
    ]


def _some_samples(subjects: Sequence[Subject], limit: int, drawing: random.Random) -> list[Subject]:
    by_sample: dict[Hashable, list[Subject]] = {}
    for subject in subjects:
        by_sample.setdefault(subject.sample_id or subject.job_id, []).append(subject)
    samples = list(by_sample.values())
    drawing.shuffle(samples)
    kept: list[Subject] = []
    for sample in samples:
        if kept and sum(s.kind == "output" for s in (*kept, *sample)) > limit:
            break
        kept += sample
    return kept


def _with_checks(
    real: list[PlannedItem], kinds: Sequence[str], count: int, drawing: random.Random
) -> list[PlannedItem]:
    items = list(real)
    # A repeat needs something between it and what it repeats.
    purposes = [kind for kind in kinds if len(real) > 1 or kind != "repeat"]
    if not (purposes and count):
        return items
    # Where there are fewer checks than kinds, each kind has the same chance.
    drawing.shuffle(purposes)
    wanted = [purposes[number % len(purposes)] for number in range(count)]
    for purpose in wanted:
        if purpose != "repeat":
            damage = drawing.getrandbits(31) if purpose == "damaged" else None
            check = PlannedItem(drawing.choice(real).subject, purpose, damage_seed=damage)
            items.insert(drawing.randint(0, len(items)), check)
    repeated: set[Subject] = set()
    for _ in range(wanted.count("repeat")):
        gap = min(_GAP, len(items) // 2)
        early = [
            (place, item.subject)
            for place, item in enumerate(items[: len(items) - gap])
            if item.purpose == "real" and item.subject not in repeated
        ]
        if not early:
            break
        place, subject = drawing.choice(early)
        repeated.add(subject)
        items.insert(drawing.randint(place + gap + 1, len(items)), PlannedItem(subject, "repeat", repeat_of=subject))
    return items
