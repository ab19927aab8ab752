"""How the mask, the options and the geometry of a job read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inpaint_fleet.cli.wording import plural

if TYPE_CHECKING:
    from inpaint_core.size import SizeRule
    from inpaint_db.queries import JobView


def mask(job: JobView) -> str | None:
    """Its address, alpha, or what it is drawn of."""
    if not job.mask_shapes:
        return "alpha" if job.mask_kind == "alpha" else job.mask_uri
    shapes = (("boxes", "box", "boxes"), ("polygons", "polygon", "polygons"))
    counts = ((len(job.mask_shapes.get(key) or ()), one, many) for key, one, many in shapes)
    return ", ".join(plural(count, one, many) for count, one, many in counts if count)


def reference(job: JobView) -> str | None:
    """The picture of what belongs into the region, and how closely it was to be followed."""
    return _guide(job.reference_uri, None, job.reference_strength)


def control(job: JobView) -> str | None:
    """The map that was to be followed, what it shows, and how closely."""
    return _guide(job.control_uri, job.control_type, job.control_strength)


def edit(job: JobView) -> str | None:
    """The options that differ from the defaults."""
    from inpaint_core.edit import EditOptions

    # The database keeps them in an order of its own.
    names = [name for name in EditOptions.model_fields if name in job.edit]
    return ", ".join(f"{name}={_value(job.edit[name])}" for name in names) or None


def region(job: JobView) -> str | None:
    """How much of the picture may change."""
    share = job.region_share
    if share is None:
        return None
    return f"{share:.1%} of the picture" if share >= 0.001 else f"{share:.4%} of the picture"


def windows(job: JobView) -> str | None:
    """What the model saw: 1024x768 at (200, 100), painted at 1152x896."""
    return "; ".join(_window(window) for window in job.windows or ()) or None


def exactness(job: JobView) -> str | None:
    """Whether what was to be kept was kept, in numbers."""
    changed = job.outside_changed_pixels
    if job.exact is None:
        return None
    if job.exact:
        return f"exact: {plural(changed or 0, 'pixel')} changed outside the edit region"
    if changed is None:
        return f"not exact ({job.output_format})"
    differ = "differs" if changed == 1 else "differ"
    return f"not exact ({job.output_format}): {plural(changed, 'pixel')} {differ} outside the edit region"


def painted(job: JobView) -> str | None:
    """How what was painted sits in the picture."""
    if job.inside_change_mean is None:
        return None
    words = [f"changed by {job.inside_change_mean:.1f} levels of 255"]
    if job.seam_step is not None:
        around = "" if job.ring_step is None else f" ({job.ring_step:.1f} just outside)"
        words.append(f"steps of {job.seam_step:.1f} across the border{around}")
    return ", ".join(words)


def drift(job: JobView) -> str | None:
    """What the model itself changed outside of its mask."""
    if job.raw_outside_mean is None:
        return None
    return (
        f"mean {job.raw_outside_mean:.2f}, largest {job.raw_outside_max or 0:.0f} levels of 255, in "
        f"{job.raw_outside_changed_share or 0:.1%} of the pixels; put back"
    )


def normalised(job: JobView) -> str | None:
    """What reading the source changed: mode CMYK to RGB."""
    changes = (job.normalised or {}).items()
    return ", ".join(f"{name} {_before_and_after(change)}" for name, change in changes) or None


def size_rule(rule: SizeRule) -> str:
    """Which pictures a model takes."""
    if rule.native_area is None:
        return "any; paints at the scale of the source"
    words = [f"paints best at {_area(rule.native_area)}"]
    if rule.max_area is not None and rule.max_area > rule.native_area:
        words.append(f"takes up to {_area(rule.max_area)}")
    if rule.max_side is not None:
        words.append(f"at most {rule.max_side:,} on a side")
    words.append(f"sides at most {rule.max_aspect:g} to 1")
    if rule.multiple_of > 1:
        words.append(f"both multiples of {rule.multiple_of}")
    return ", ".join(words)


def _guide(uri: str | None, kind: str | None, strength: float | None) -> str | None:
    if uri is None:
        return None
    words = [kind] if kind else []
    words += [] if strength is None else [f"strength {strength:g}"]
    return f"{uri} ({', '.join(words)})" if words else uri


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _window(window: dict[str, Any]) -> str:
    left, top, right, bottom = window["box"]
    width, height = window["size"]
    text = f"{right - left}x{bottom - top} at ({left}, {top})"
    return text if (width, height) == (right - left, bottom - top) else f"{text}, painted at {width}x{height}"


def _before_and_after(change: object) -> str:
    if isinstance(change, dict) and {"before", "after"} <= change.keys():
        return f"{change['before']} to {change['after']}"
    return str(change)


def _area(pixels: int) -> str:
    side = round(pixels**0.5)
    return f"{pixels / 1e6:.2f} megapixels" + (f" ({side}x{side})" if side * side == pixels else "")
