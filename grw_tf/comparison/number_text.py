"""Numbers of a comparison as text."""

from grw_tf.comparison.findings import MetricFound
from grw_tf.comparison.outcomes import Metric
from grw_tf.evaluation.paired_statistics import Interval


def mean_text(found: MetricFound, metric: Metric) -> str:
    """Returns a metric as mean ± deviation over seeds, or "-" without a mean."""
    if found.mean is None:
        return "-"
    mean = fixed(metric.scale * found.mean, digits(metric))
    if found.deviation is None:
        return mean
    return f"{mean} ± {fixed(metric.scale * found.deviation, digits(metric))}"


def interval_text(interval: Interval, metric: Metric) -> str:
    """Returns the ends of an interval of a metric's difference, "" without them."""
    if interval.low is None or interval.high is None:
        return ""
    low, high = (change(end, metric) for end in (interval.low, interval.high))
    return f"{low} to {high}"


def change(value: float, metric: Metric) -> str:
    """Returns a difference of a metric, with its sign."""
    return signed(metric.scale * value, digits(metric))


def digits(metric: Metric) -> int:
    """Returns the number of decimals that a metric is shown with."""
    return 1 if metric.scale > 1 else 3


def signed(value: float, digits: int = 1) -> str:
    """Returns a number with its sign; no change has none."""
    rounded = round(value, digits)
    return ("+" if rounded > 0 else "") + fixed(rounded + 0.0, digits)


def fixed(value: float, digits: int = 1) -> str:
    """Returns a number with so many decimals and a typographic minus."""
    return f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")
