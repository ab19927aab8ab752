"""How good results of inpainting are, computed afterwards from the pictures alone.

`measure_output` measures one result, `measure_trials` several of the same sample and model. `METRICS` says of each
number what it is. A value that does not exist comes as a reason, never as infinity or NaN.
"""

from inpaint_benchmark.metrics.deviation import DEVIATION_WHITE, deviation_picture
from inpaint_benchmark.metrics.learned import optional_metrics_available
from inpaint_benchmark.metrics.metric import Direction, Metric, Reason, Scope, Value
from inpaint_benchmark.metrics.output import measure_output
from inpaint_benchmark.metrics.pictures import OutputPictures, Raw
from inpaint_benchmark.metrics.registry import METRICS
from inpaint_benchmark.metrics.trials import measure_trials

__all__ = [
    "DEVIATION_WHITE",
    "METRICS",
    "Direction",
    "Metric",
    "OutputPictures",
    "Raw",
    "Reason",
    "Scope",
    "Value",
    "deviation_picture",
    "measure_output",
    "measure_trials",
    "optional_metrics_available",
]
