"""What the review judged by eye, and which automatic metrics stand in for it until somebody has."""

from __future__ import annotations

from dataclasses import dataclass

from inpaint_benchmark.metrics import METRICS


@dataclass(frozen=True, slots=True)
class StandIn:
    """A metric in place of stars."""

    metric: str
    #: How a cell calls it.
    label: str
    #: Digits behind the point.
    digits: int = 2
    #: What is taken of imported results instead: of them nothing but the picture is known.
    imported: str | None = None

    @property
    def unit(self) -> str:
        """Unit of the metric."""
        return METRICS[self.metric].unit

    def metric_for(self, *, imported: bool) -> str:
        """The metric that is looked up for a result."""
        return self.imported if imported and self.imported is not None else self.metric


@dataclass(frozen=True, slots=True)
class Criterion:
    """A column of the review's evaluation."""

    name: str
    title: str
    #: As the review asks it.
    question: str
    stand_ins: tuple[StandIn, ...]
    #: What the stand-ins tell and do not tell.
    legend: str


CRITERIA: tuple[Criterion, ...] = (
    Criterion(
        "realism",
        "Realism",
        "How natural and lifelike does the inpainted region appear?",
        (StandIn("truth_effect_ssim", "SSIM"), StandIn("truth_effect_delta_e", "ΔE00")),
        "Likeness to the ground truth where the object, its shadow and its reflections are: SSIM (1: the same, more is "
        "better) and CIEDE2000 colour difference (0: the same, less is better). Only with a ground truth; a picture "
        "may be lifelike and still differ from it.",
    ),
    Criterion(
        "adaptability",
        "Adaptability",
        "Does the inpainting align with the provided prompts or instructions?",
        (StandIn("inside_clip_score", "CLIP", 1),),
        "CLIP score (ViT-L/14, 0 to 100, more is better; 15 to 35 are usual) between the prompt and the part of the "
        "picture around the edit region.",
    ),
    Criterion(
        "consistency",
        "Consistency",
        "Is the inpainted region consistent with the unmasked area?",
        (StandIn("seam_ratio", "seam"),),
        "Step across the border of the edit region beside steps around it: 1 is invisible, less is better. It tells of "
        "the seam, not of light, style or perspective.",
    ),
    Criterion(
        "preservation",
        "Unmask preservation",
        "Are the unmasked parts of the image left intact?",
        (StandIn("raw_outside_delta_e", "ΔE00", 2, imported="outside_delta_e"),),
        "Mean CIEDE2000 colour difference that the model itself made outside the mask, before the fleet put the source "
        "back (0: none, less is better). Of imported results: of the picture as it was delivered.",
    ),
    Criterion(
        "reproducibility",
        "Reproducibility",
        "Are the outputs stable in quality and alignment across the trials?",
        (StandIn("trials_delta_e_mean", "ΔE00"), StandIn("trials_ssim_mean", "SSIM")),
        "How much two trials of a sample differ in the edit region, mean of all pairs: CIEDE2000 (0: the same) and "
        "SSIM (1: the same). Trials have different seeds, so that this is variety, not error; models without a random "
        "part are always the same.",
    ),
)

#: Words for `inpaint_benchmark.metrics.Reason`, and for what the report itself finds missing.
REASONS = {
    "identical": "identical pictures",
    "no_ground_truth": "no ground truth",
    "no_object_mask": "no object mask",
    "no_effect_mask": "no effect mask",
    "no_raw_output": "raw output not kept",
    "no_prompt": "no prompt",
    "one_trial": "only one trial",
    "is_exact": "made in the tier exact",
    "no_exact_trial": "not made in the tier exact",
    "package_missing": "extra metrics not installed",
    "weights_unavailable": "weights not on this machine",
    "not_measured": "not measured",
    "no_results": "no results",
}


def in_words(reason: str) -> str:
    """A reason for people."""
    return REASONS.get(reason, reason.replace("_", " "))
