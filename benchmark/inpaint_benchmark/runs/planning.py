"""What a run is to be made of, checked before anything is written."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inpaint_core.card import ModelCard, PromptUse
from inpaint_core.catalogue import Catalogue
from inpaint_core.edit import EditOptions
from inpaint_core.errors import InvalidRequest, ParameterInvalid
from inpaint_core.job import ParameterValue
from inpaint_core.tiers import Tier
from inpaint_db.dataset_queries import SampleRow, VersionRow
from inpaint_db.run_queries import RunPlan
from inpaint_producer import JobSpec

from inpaint_benchmark.runs.fleet import address

#: Stands for every model that has a parameter of that name.
EVERY = "*"
#: Seeds of trial 1, 2, 3 and so on, if none are named.
FIRST_SEED = 1
MOST_TRIALS = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """A run as it was asked for."""

    models: Sequence[str]
    samples: Sequence[str] | None = None
    seeds: Sequence[int] = (FIRST_SEED, FIRST_SEED + 1, FIRST_SEED + 2)
    #: By model, or under `EVERY`.
    parameters: Mapping[str, Mapping[str, ParameterValue]] | None = None
    edit: Mapping[str, Any] | None = None
    note: str = ""
    tier: Tier = Tier.EXACT


def plan_run(
    wanted: Wanted, version: VersionRow, samples: Sequence[SampleRow], catalogue: Catalogue
) -> tuple[RunPlan, list[SampleRow]]:
    """The plan, and the samples that it covers; a `RequestError` for what no model or sample could be run with.

    What models return is kept, so that it can be measured what they did outside of the mask.
    """
    models = list(dict.fromkeys(wanted.models))
    if not models:
        raise InvalidRequest("A run needs at least one model.", field="models")
    cards = [catalogue.card(name) for name in models]
    chosen = _chosen(samples, wanted.samples, version)
    if not 1 <= len(wanted.seeds) <= MOST_TRIALS:
        raise InvalidRequest(f"A run has 1 to {MOST_TRIALS} trials, found {len(wanted.seeds)}.", field="seeds")
    parameters = {model: dict(given) for model, given in (wanted.parameters or {}).items() if given}
    _check_parameters(parameters, cards)
    edit = EditOptions.model_validate({**(wanted.edit or {}), "keep_raw": True}).said()
    plan = RunPlan(
        version.id,
        models,
        None if wanted.samples is None else [sample.name for sample in chosen],
        list(wanted.seeds),
        parameters,
        edit,
        note=wanted.note,
        tier=wanted.tier.value,
    )
    for card in cards:
        for sample in chosen:
            request = spec_of(plan, card, sample, plan.seeds[0], "any-bucket")
            catalogue.check(request.to_request(str(request.source), str(request.mask), "s3://any-bucket/any"))
    return plan, chosen


def spec_of(plan: RunPlan, card: ModelCard, sample: SampleRow, seed: int, bucket: str) -> JobSpec:
    """The job of a trial: an edit like any other.

    A negative prompt is left out where the model knows none; a reference image is shown to models that take one.
    """
    reference = sample.images.get("reference") if card.reference is not None else None
    heeds_negative = card.negative_prompt and card.prompt is not PromptUse.IGNORED
    return JobSpec(
        source=str(address(bucket, sample.images["source"])),
        mask=str(address(bucket, sample.images["mask"])),
        model=card.name,
        prompt=sample.prompt,
        negative_prompt=sample.negative_prompt if heeds_negative else "",
        seed=seed,
        parameters=parameters_of(plan.parameters, card),
        edit=dict(plan.edit),
        reference_image=None if reference is None else str(address(bucket, reference)),
        tier=plan.tier,
    )


def parameters_of(parameters: Mapping[str, Mapping[str, Any]], card: ModelCard) -> dict[str, Any]:
    """The overrides of one model: those for every model that has such a parameter, and its own on top."""
    for_all = {name: value for name, value in parameters.get(EVERY, {}).items() if name in card.parameters}
    return {**for_all, **parameters.get(card.name, {})}


def _check_parameters(parameters: Mapping[str, Mapping[str, Any]], cards: Collection[ModelCard]) -> None:
    """A parameter that no model of the run has is a slip."""
    names = {card.name for card in cards}
    for model, given in parameters.items():
        if model != EVERY and model not in names:
            raise InvalidRequest(
                f"There are parameters for {model}, which is none of the run's models: {', '.join(sorted(names))}.",
                field="parameters",
            )
        for name in given if model == EVERY else ():
            if not any(name in card.parameters for card in cards):
                raise ParameterInvalid(f"None of the run's models has a parameter {name!r}.", field=name)
    for card in cards:
        card.resolve(parameters_of(parameters, card))


def _chosen(samples: Sequence[SampleRow], names: Sequence[str] | None, version: VersionRow) -> list[SampleRow]:
    if names is None:
        return list(samples)
    by_name = {sample.name: sample for sample in samples}
    if missing := [name for name in names if name not in by_name]:
        raise InvalidRequest(
            f"{version.dataset} {version.version} has no sample {', '.join(missing)}; it has {', '.join(by_name)}.",
            field="samples",
        )
    if not names:
        raise InvalidRequest("A run needs at least one sample.", field="samples")
    return [by_name[name] for name in dict.fromkeys(names)]
