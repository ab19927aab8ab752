"""Model cards: what the fleet knows of a model, as data."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from inpaint_core.acceleration import NOTHING, Accelerate, Acceleration
from inpaint_core.errors import CannotDo, ModelRetired, ParameterInvalid, PromptRequired
from inpaint_core.families import ABILITIES, Abilities
from inpaint_core.guides import ControlUse, ReferenceUse
from inpaint_core.job import JobRequest, ParameterValue
from inpaint_core.size import SizeRule
from inpaint_core.tiers import LOSSY, Tier, TierUse
from inpaint_core.weights import Weights


class PromptUse(StrEnum):
    """What a model does with a prompt."""

    IGNORED = "ignored"
    OPTIONAL = "optional"
    REQUIRED = "required"


class Parameter(BaseModel):
    """One number or choice that a request may set: its default and what is allowed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["number", "integer", "boolean", "choice"]
    default: ParameterValue
    minimum: Annotated[float | None, Field(allow_inf_nan=False)] = None
    maximum: Annotated[float | None, Field(allow_inf_nan=False)] = None
    choices: tuple[str, ...] = ()
    unit: str = ""
    help: str

    @model_validator(mode="after")
    def _default_is_allowed(self) -> Parameter:
        problem = self.problem(self.default)
        if problem:
            raise ValueError(f"default {self.default!r}: {problem}")
        return self

    def problem(self, value: object) -> str | None:
        """Why `value` is not allowed, or None."""
        if self.type == "boolean":
            return None if isinstance(value, bool) else "must be true or false"
        if self.type == "choice":
            return None if value in self.choices else f"must be one of {', '.join(self.choices)}"
        if isinstance(value, bool) or not isinstance(value, int if self.type == "integer" else int | float):
            return f"must be {'an integer' if self.type == 'integer' else 'a number'}{self._range()}"
        low, high = self.minimum, self.maximum
        if (low is not None and value < low) or (high is not None and value > high):
            return f"must be{self._range()}"
        # NaN compares false with everything, and Postgres' JSON holds neither it nor infinity.
        if isinstance(value, float) and not math.isfinite(value):
            return f"must be a finite number{self._range()}"
        return None

    def _range(self) -> str:
        if self.minimum is not None and self.maximum is not None:
            return f" from {self.minimum:g} to {self.maximum:g}"
        if self.minimum is not None:
            return f" at least {self.minimum:g}"
        return f" at most {self.maximum:g}" if self.maximum is not None else ""


class ModelCard(BaseModel):
    """A catalogue entry. Its name is also the suffix of its queue."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,62}$")]
    title: str
    summary: str
    review_name: Annotated[str | None, Field(description="What the published review of nine models calls it")] = None
    family: Annotated[str, Field(description="Which module of inpaint_worker.pipelines runs it")]
    architecture: str
    billions: Annotated[float | None, Field(gt=0, description="Parameters, 10^9")] = None
    source: Annotated[str, Field(description="Paper or page that describes the method")]
    licence: str
    released: date
    status: Literal["active", "retired"] = "active"
    #: What took the place of a retired model, for people to read: another card, or a model of the same vendor's API.
    substitute: str | None = None

    device: Literal["cpu", "cuda", "api"]
    #: A deployment's own choice, never the package's: the model of the API that does what this one was asked for.
    serve_by: str | None = None
    gpu_memory_gb: Annotated[float | None, Field(gt=0, description="What a worker needs to begin, 10^9 bytes")] = None
    offload_memory_gb: Annotated[
        float | None,
        Field(gt=0, description="The same with only the part on the GPU that works; about half, if absent"),
    ] = None
    dtype: Literal["float16", "bfloat16", "float32"] | None = None
    quantisation: Literal["nf4", "fp8"] | None = None
    weights: dict[str, Weights] = Field(default_factory=dict, description="Where its parts come from, by role")

    prompt: PromptUse
    negative_prompt: bool = False
    reference: Annotated[ReferenceUse | None, Field(description="Absent: it takes no reference image")] = None
    control: Annotated[ControlUse | None, Field(description="Absent: it takes no control image")] = None
    tiers: dict[Tier, TierUse] = Field(
        default_factory=dict, description="What it leaves out for jobs that ask for a quicker tier than exact"
    )
    #: Steps are told while it runs, and it can be stopped between two of them.
    progress: bool = True
    #: Equal seeds give equal bits on one machine.
    deterministic: bool
    size: SizeRule = SizeRule()
    #: What the family needs to build this one, e.g. which cv2 algorithm.
    options: dict[str, str] = Field(default_factory=dict)
    parameters: dict[str, Parameter] = Field(default_factory=dict)
    accelerate: Annotated[Accelerate, Field(description="What INPAINT_ACCELERATE=auto means for it")] = NOTHING

    @field_validator("quantisation")
    @classmethod
    def _has_such_weights(cls, value: str | None, info: ValidationInfo) -> str | None:
        family, able = _abilities(info)
        if value is None or able is None:
            return value
        if value not in able.quantisations:
            others = f" other than {' or '.join(able.quantisations)}" if able.quantisations else ""
            raise ValueError(f"cannot be {value}: the family {family} knows no quantisation{others}")
        if value == "fp8" and info.data.get("dtype") != "bfloat16":
            raise ValueError('fp8 is computed with in bfloat16: say dtype = "bfloat16", or leave it out')
        return value

    @field_validator("serve_by")
    @classmethod
    def _only_by_an_api(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("device") != "api":
            raise ValueError("only a model with device 'api' can be served by another; leave it out")
        return value

    @field_validator("weights")
    @classmethod
    def _are_read_in_time(cls, value: dict[str, Weights], info: ValidationInfo) -> dict[str, Weights]:
        family, able = _abilities(info)
        for role, weights in value.items() if able else ():
            guide = weights.needed_for
            if able and guide is not None and role not in able.guides.get(guide, ()):
                raise ValueError(
                    f"{role} is needed for more than {guide} images in the family {family}: leave out needed_for."
                )
        return value

    @field_validator("negative_prompt")
    @classmethod
    def _is_heeded(cls, value: bool, info: ValidationInfo) -> bool:
        family, able = _abilities(info)
        if value and able and not able.negative_prompt:
            raise ValueError(f"cannot be true: the family {family} reads none")
        return value

    @field_validator("reference", "control")
    @classmethod
    def _is_taken(
        cls, value: ReferenceUse | ControlUse | None, info: ValidationInfo
    ) -> ReferenceUse | ControlUse | None:
        family, able = _abilities(info)
        guide = str(info.field_name)
        if value is None or able is None:
            return value
        if guide not in able.guides:
            raise ValueError(f"cannot be claimed: the family {family} takes no {guide} image.")
        if guide == "reference" and value.strength is not None and not able.reference_strength:
            raise ValueError(f"cannot have a strength in the family {family}: it would do nothing.")
        named = info.data.get("weights")  # None: they are wrong themselves
        missing = [] if named is None else [role for role in able.guides[guide] if role not in named]
        if missing:
            raise ValueError(f"needs the weights {', '.join(missing)}, which the card does not name.")
        return value

    @field_validator("tiers", mode="before")
    @classmethod
    def _are_offered(cls, value: object) -> object:
        """Without those that a deployment took away: `tiers.turbo = false`."""
        if not isinstance(value, dict):
            return value
        if unknown := [tier for tier in value if tier not in LOSSY]:
            raise ValueError(f"can hold {' and '.join(LOSSY)}, not {unknown[0]}.")
        return {tier: use for tier, use in value.items() if use is not False}

    @field_validator("tiers")
    @classmethod
    def _are_the_familys(cls, value: dict[Tier, TierUse], info: ValidationInfo) -> dict[Tier, TierUse]:
        family, able = _abilities(info)
        for tier, use in value.items() if able else ():
            lacking = [element for element in use.elements if able and element not in able.tiers]
            if lacking:
                raise ValueError(f"{tier} cannot have a {lacking[0]}: the family {family} has none.")
        return value

    @field_validator("accelerate")
    @classmethod
    def _is_possible(cls, value: Acceleration, info: ValidationInfo) -> Acceleration:
        family, able = _abilities(info)
        if able is None:
            return value
        options, quantised = info.data.get("options") or {}, info.data.get("quantisation") == "nf4"
        problem = value.problem(able.accelerations_of(options.get("class"), quantised=quantised))
        if problem:
            raise ValueError(f"{problem} (family {family})")
        return value

    @property
    def accelerations(self) -> tuple[str, ...]:
        """What makes it quicker: the words that `accelerate` and `INPAINT_ACCELERATE` may hold for it."""
        able = ABILITIES.get(self.family, Abilities())
        return able.accelerations_of(self.options.get("class"), quantised=self.quantisation == "nf4")

    @property
    def served(self) -> bool:
        """Whether workers may serve it and jobs be sent to it."""
        return self.status == "active" or self.serve_by is not None

    @property
    def api_model(self) -> str | None:
        """What a vendor's API is asked for, which `serve_by` may change; None for models that run here."""
        return (self.serve_by or self.options.get("model", self.name)) if self.device == "api" else None

    @property
    def refuses_negative_prompts(self) -> bool:
        """It reads prompts, but no negative ones."""
        # A model that reads no text at all is a baseline for those that do: a note says that it ignored both.
        return not self.negative_prompt and self.prompt is not PromptUse.IGNORED

    def require_served(self) -> None:
        """Raise `ModelRetired` unless it is served."""
        if self.served:
            return
        if self.substitute is None:
            hint = "See `inpaint models` for others."
        elif self.device == "api":
            hint = (
                f"Its vendor offers {self.substitute} instead: whoever runs the fleet may serve {self.name} by it, "
                f'with [models.{self.name}] serve_by = "{self.substitute}" in the file of INPAINT_CATALOGUE.'
            )
        else:
            hint = f"Use {self.substitute} instead."
        raise ModelRetired(f"{self.name} is retired and no longer served. {hint}", model=self.name)

    def check(self, request: JobRequest, others: Iterable[ModelCard] = ()) -> None:
        """Raise unless the model can carry out `request`. Of `others`, those are named that can."""
        self.require_served()
        if self.prompt is PromptUse.REQUIRED and not request.prompt.strip():
            raise PromptRequired(
                f"{self.name} repaints after a prompt, and the request has none. Say what belongs in the masked area.",
                field="prompt",
            )
        self._check_abilities(request, others)
        self.resolve(request.parameters)

    def _check_abilities(self, request: JobRequest, others: Iterable[ModelCard]) -> None:
        """What a model cannot do is refused, as an unknown parameter is: a picture made without it would mislead."""
        kind = request.control_type

        def cannot(field: str, what: str, can: Callable[[ModelCard], bool]) -> CannotDo:
            return self._cannot(request, field, what, [card for card in others if card.served and can(card)])

        if request.negative_prompt.strip() and self.refuses_negative_prompts:
            raise cannot("negative_prompt", "knows no negative prompt", lambda c: c.negative_prompt)
        if request.reference_image and self.reference is None:
            raise cannot("reference_image", "takes no reference image", lambda c: c.reference is not None)
        if self.reference and self.reference.strength is None and request.reference_strength is not None:
            raise CannotDo(
                f"The reference image of {self.name} ({self.reference.by}) has no strength. Leave out "
                "reference_strength.",
                field="reference_strength",
            )
        tier = request.tier
        if tier in LOSSY and tier not in self.tiers:
            raise cannot("tier", f"has no tier {tier}", lambda c: tier in c.tiers)
        if kind is None:
            return
        if self.control is None:
            raise cannot("control_image", "takes no control image", lambda c: _takes(c, kind))
        if kind not in self.control.types:
            takes = f"takes no control image of the type {kind}, only {', '.join(self.control.types)}"
            raise cannot("control_type", takes, lambda c: _takes(c, kind))

    def _cannot(self, request: JobRequest, field: str, what: str, able: list[ModelCard]) -> CannotDo:
        # Not those that would refuse the next thing that is asked, unless all would.
        names = [card.name for card in [c for c in able if c._can(request)] or able]
        offer = f"These can: {', '.join(names)}. Take one of them, or leave it out." if names else "Leave it out."
        return CannotDo(f"{self.name} {what}. {offer}", field=field, models=names)

    def _can(self, request: JobRequest) -> bool:
        try:
            self._check_abilities(request, ())
        except CannotDo:
            return False
        return True

    def resolve(self, given: dict[str, ParameterValue]) -> dict[str, ParameterValue]:
        """All parameters with their values: the given ones checked, the others at their defaults."""
        for name, value in given.items():
            rule = self.parameters.get(name)
            if rule is None:
                known = ", ".join(self.parameters) or "(none)"
                raise ParameterInvalid(f"{self.name} has no parameter {name!r}; it has: {known}.", field=name)
            problem = rule.problem(value)
            if problem:
                raise ParameterInvalid(
                    f"{name} of {self.name} {problem}{' ' + rule.unit if rule.unit else ''}, found {value!r} "
                    f"(default {rule.default}).",
                    field=name,
                )
        return {name: given.get(name, rule.default) for name, rule in self.parameters.items()}


def _abilities(info: ValidationInfo) -> tuple[str, Abilities | None]:
    """The family of the card that is checked, and what it can; None for one that is not known here."""
    family = str(info.data.get("family"))
    return family, ABILITIES.get(family)


def _takes(card: ModelCard, kind: str) -> bool:
    return card.control is not None and kind in card.control.types
