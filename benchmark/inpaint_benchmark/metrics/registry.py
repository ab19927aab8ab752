"""All metrics, by name."""

from __future__ import annotations

from inpaint_benchmark.metrics.metric import Direction, Metric, Scope

_Line = tuple[str, str, Direction, str]

_DIFFERENCE: tuple[_Line, ...] = (
    ("exact", "flag", "higher", "Whether no pixel {where} has changed."),
    ("mse", "levels²", "lower", "Mean squared difference over pixels and channels {where}."),
    ("psnr", "dB", "higher", "Peak signal-to-noise ratio {where}, of 255 levels; no value if nothing has changed."),
    ("ssim", "SSIM", "higher", "Mean structural similarity {where}, of windows that lie wholly there."),
    ("max_difference", "levels", "lower", "The largest change of any channel of any pixel {where}."),
    ("changed_share", "share", "lower", "Share of the pixels {where} that have changed at all."),
    ("delta_e", "ΔE00", "lower", "Mean CIEDE2000 colour difference {where}."),
)

_RESULT: tuple[_Line, ...] = (
    (
        "seam_ratio",
        "ratio",
        "lower",
        "Mean step across the border of the edit region beside that in rings just inside and outside; 1: invisible.",
    ),
    (
        "inside_flatness",
        "share",
        "none",
        "Share of the pixels inside whose 7 x 7 neighbours deviate by less than a level: paint without texture.",
    ),
    (
        "inside_sharpness_ratio",
        "ratio",
        "none",
        "Variance of the Laplacian inside divided by that outside; 1: as sharp as the rest of the picture.",
    ),
    ("inside_source_ssim", "SSIM", "none", "Structural similarity to the source inside; 1: nothing was done."),
    ("inside_change_mean", "levels", "none", "Mean absolute change inside; 0: nothing was done."),
    ("inside_blank", "flag", "lower", "Whether no channel deviates inside by two levels: black, grey or one colour."),
    ("inside_deviation", "levels", "none", "Standard deviation of brightness inside; near 0: it is blank."),
)

_TRUTH: tuple[_Line, ...] = (
    ("psnr", "dB", "higher", "Peak signal-to-noise ratio to the ground truth {where}; no value if they are the same."),
    ("ssim", "SSIM", "higher", "Mean structural similarity to the ground truth {where}."),
    ("delta_e", "ΔE00", "lower", "Mean CIEDE2000 colour difference to the ground truth {where}."),
)

_EXACT: tuple[_Line, ...] = (
    (
        "psnr",
        "dB",
        "higher",
        "Peak signal-to-noise ratio inside the edit region to the same made in the tier exact; no value if they are "
        "the same.",
    ),
    ("ssim", "SSIM", "higher", "Mean structural similarity inside the edit region to the same made in the tier exact."),
    (
        "delta_e",
        "ΔE00",
        "lower",
        "Mean CIEDE2000 colour difference inside the edit region to the same made in the tier exact.",
    ),
)

_LEARNED: tuple[_Line, ...] = (
    ("outside_lpips", "LPIPS", "lower", "LPIPS (AlexNet) of the delivered picture to the source, the region left out."),
    (
        "truth_effect_lpips",
        "LPIPS",
        "lower",
        "LPIPS (AlexNet) to the ground truth in the box around the effect mask.",
    ),
    (
        "inside_clip_score",
        "points",
        "higher",
        "CLIP score (ViT-L/14) of a square around the edit region, and the prompt.",
    ),
)

_TRIALS: tuple[_Line, ...] = (
    ("delta_e_mean", "ΔE00", "lower", "CIEDE2000 inside the edit region between two trials, mean of all pairs."),
    ("delta_e_worst", "ΔE00", "lower", "The same of the pair that differs most."),
    ("ssim_mean", "SSIM", "higher", "Structural similarity inside the edit region of two trials, mean of all pairs."),
    ("ssim_worst", "SSIM", "higher", "The same of the pair that is least alike."),
    ("same_seed_identical", "flag", "higher", "Whether all trials with equal seeds are the same picture, bit for bit."),
)


def _metrics(lines: tuple[_Line, ...], prefix: str = "", where: str = "", scope: Scope = "output") -> list[Metric]:
    return [
        Metric(prefix + name, unit, direction, scope, description.format(where=where))
        for name, unit, direction, description in lines
    ]


#: Every metric, by name, in the order that they are measured and shown.
METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        *_metrics(_DIFFERENCE, "raw_outside_", "outside the mask, between what the model was shown and returned"),
        *_metrics(_DIFFERENCE, "outside_", "outside the edit region, between source and delivered picture"),
        *_metrics(_RESULT),
        *_metrics(_TRUTH, "truth_object_", "in the object mask"),
        *_metrics(_TRUTH, "truth_effect_", "in the effect mask, or in the mask of a sample without one"),
        *_metrics(_EXACT, "exact_"),
        *_metrics(_LEARNED),
        *_metrics(_TRIALS, "trials_", scope="trials"),
    )
}
