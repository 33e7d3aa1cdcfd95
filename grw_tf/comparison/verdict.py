"""Says in words what a comparison shows, and what it cannot show."""

from grw_tf.comparison.findings import FAILED, NOT_RUN, Findings, Verdict
from grw_tf.comparison.outcomes import ACCURACY, FLICKER, METRICS, judged_metric
from grw_tf.evaluation.paired_statistics import (
    clips_needed,
    seeds_needed,
    smallest_shown,
)

_METRICS = {metric.key: metric for metric in METRICS}
_POINT = 0.01
_TOLD_WHOLE = 2


def judge(findings: Findings) -> Verdict:
    """Puts findings into words.

    A difference in accuracy, or in mAP for several labels a clip, counts as shown if
    Student's test over seeds says so after Holm's adjustment for the number of
    variants, and the interval over clips excludes 0 too; one in another metric by the
    test over seeds alone.
    """
    compared = findings.differences(judged_metric(findings.metrics).key)
    if not compared:
        return Verdict(
            headline="Nothing to compare yet",
            sentences=(
                "No variant has finished a seed that the baseline has finished too.",
            ),
            variants={},
            limits=tuple(_limits(findings)),
        )
    return Verdict(
        headline=_headline(compared, _measure(findings)),
        sentences=(
            _accuracy(findings, compared),
            *_steadiness(findings),
            *_smoothness(findings),
        ),
        variants={name: tuple(_of_variant(findings, name)) for name in compared},
        limits=tuple(_limits(findings)),
    )


def _measure(findings):
    """Returns the name of the metric that decides, as within a sentence."""
    judged = judged_metric(findings.metrics)
    return "accuracy" if judged == ACCURACY else judged.title


def _headline(compared, measure):
    if max(d.seeds for d in compared.values()) < 2:
        return "Too early to say"
    better = any(d.shown and d.interval.mean > 0 for d in compared.values())
    worse = any(d.shown and d.interval.mean < 0 for d in compared.values())
    if better:
        return "Some of it helps, some harms" if worse else "Yes, it helps"
    return "It harms" if worse else f"No difference in {measure} shown"


def _accuracy(findings, compared):
    test, measure = findings.test, _measure(findings)
    clips, seeds = test.clips, max(d.seeds for d in compared.values())
    shown = {name: d for name, d in compared.items() if d.shown}
    if shown:
        told = "; ".join(
            f"by {_point(d.interval.mean)} points with {name}"
            # Those of many are in the table.
            + (f" ({_intervals(findings, name)})" if len(shown) <= _TOLD_WHOLE else "")
            for name, d in shown.items()
        )
        return (
            f"On {_count(clips, 'test clip')} and {_count(seeds, 'seed')}, {measure}"
            f" differs from the baseline's {told}."
        )
    if not any(d.interval.mean for d in compared.values()):
        more = " One seed tells little: run more by the same command."
        return (
            f"On {_count(clips, 'test clip')} and {_count(seeds, 'seed')}, all variants"
            f" have the baseline's mean {measure}.{more if seeds < 2 else ''}"
        )
    name = max(compared, key=lambda n: abs(compared[n].interval.mean))
    largest = compared[name].interval
    if seeds < 2:
        return (
            f"One seed tells two trained models apart, not two methods. On"
            f" {_count(clips, 'test clip')} the largest difference is"
            f" {_point(largest.mean)} points, of {name}"
            f" ({_intervals(findings, name)}). Run more seeds by the same command."
        )
    return (
        f"On {_count(clips, 'test clip')} and {_count(seeds, 'seed')}, no variant's"
        f" {measure} is shown to differ from the baseline's. The largest difference is"
        f" {_point(largest.mean)} points, of {name} ({_intervals(findings, name)})."
    )


def _intervals(findings, name):
    """Returns the intervals of a variant's accuracy, or mAP, in words."""
    difference = findings.differences(judged_metric(findings.metrics).key)[name]
    over_clips = f"over clips {_points(findings.clips[name].interval)}"
    if difference.interval.low is not None:
        over_seeds = _points(difference.interval)
        return f"95 % interval over seeds {over_seeds}, {over_clips}"
    same = "of one seed" if difference.seeds < 2 else "the same with all seeds"
    return f"{same}; 95 % interval {over_clips}"


def _steadiness(findings):
    for key in FLICKER:
        metric = _METRICS[key]
        shown = {n: d for n, d in findings.differences(key).items() if d.shown}
        for less in (True, False):
            names = [n for n, d in shown.items() if (d.interval.mean < 0) == less]
            if names:
                means = findings.metrics[key]
                told = ", ".join(f"{n} {means[n].mean:.3f}" for n in names)
                yield (
                    f"{metric.title} is {'lower' if less else 'higher'} than the"
                    f" baseline's {means['baseline'].mean:.3f}{metric.unit}: {told}."
                )
    enough = any(d.seeds > 1 for d in findings.differences(FLICKER[0]).values())
    if enough and not any(
        d.shown for key in FLICKER for d in findings.differences(key).values()
    ):
        yield "In how much predictions flicker no difference is shown."


def _smoothness(findings):
    key = "order_accuracy"
    for name, difference in findings.differences(key).items():
        if difference.shown:
            means = findings.metrics[key]
            more = "smoother" if difference.interval.mean > 0 else "rougher"
            yield (
                f"Embeddings of {name} are {more}: they tell the order of frames in"
                f" {100 * means[name].mean:.1f} % of the windows, the baseline's in"
                f" {100 * means['baseline'].mean:.1f} %."
            )


def _of_variant(findings, name):
    judged = judged_metric(findings.metrics)
    difference = findings.differences(judged.key)[name]
    interval, clips = difference.interval, findings.clips[name]
    seeds, deviation = difference.seeds, difference.deviation
    told = f"{judged.title} {_point(interval.mean)} points"
    if interval.low is not None:
        told += f", {_points(interval)} over {_count(seeds, 'seed')}"
    elif seeds > 1:
        told += f" with each of {seeds} seeds"
    told += f", {_points(clips.interval)} over {_count(clips.clips, 'clip')}"
    if difference.adjusted_p_value is not None:
        told += f"; p {_p(difference.adjusted_p_value)} after Holm's adjustment"
    yield f"{told}: {'shown' if difference.shown else 'not shown'}."
    whole = "" if judged == ACCURACY else " of all classes of a clip"
    yield (
        f"{_count(clips.mended, 'prediction')}{whole} mended and"
        f" {clips.broken} broken, of {seeds * clips.clips} in all."
    )
    if clips.p_value is not None:
        yield f"McNemar's exact test of the one seed: p {_p(clips.p_value)}."
    if difference.shown:
        return
    several = len(findings.differences(judged.key)) > 1
    yield from _needed(seeds, deviation, clips.deviation, several)


def _needed(seeds, deviation, clip_deviation, several):
    """Yields what it would take to show one point, at the spread seen here."""
    if deviation == 0 and seeds > 1:
        yield (
            "All seeds differ by the same, so their spread, and what it would take to"
            " show a difference, is not known."
        )
    elif deviation:
        needed = seeds_needed(deviation, _POINT)
        smallest = smallest_shown(deviation, seeds)
        seeds_told = "more than a million" if needed is None else f"{needed:,}"
        adjusted = ", more after Holm's adjustment" if several else ""
        yield (
            f"With seeds spread as here ({100 * deviation:.1f} points), {seeds} of them"
            f" show a true difference of {100 * smallest:.1f} points four times out of"
            f" five; one of 1 point takes {seeds_told} seeds{adjusted}."
        )
    if clip_deviation:
        yield (
            "For new clips, a true difference of 1 point takes about"
            f" {clips_needed(clip_deviation, _POINT):,} test clips."
        )


def _limits(findings):
    test, seeds = findings.test, findings.seeds
    variants = len(findings.variants) - 1
    if test.is_training:
        yield (
            "Test clips are trained on: these accuracies say nothing of new clips. Give"
            " --test_records of others."
        )
    if test.is_validation:
        yield (
            "The test clips are those of the validation, by which each run's checkpoint"
            " was chosen: all accuracies are flattered, most those of variants that"
            " fluctuate most. Give --test_records of other clips."
        )
    failed = [run for run in findings.runs if run.state == FAILED]
    if failed:
        yield (
            f"{_count(len(failed), 'run')} failed, and the seeds concerned are left out"
            " of differences: if a variant fails at hard seeds, that flatters it."
        )
    missing = [run for run in findings.runs if run.state == NOT_RUN]
    if missing or len(seeds) < findings.planned_seeds:
        yield (
            f"The comparison goes on: {len(seeds)} of {findings.planned_seeds} seeds"
            " are in this report."
        )
    if variants > 1:
        yield (
            f"{variants} variants are compared with one baseline, so p-values are"
            " adjusted by Holm's method within each row of the table; intervals are"
            " not. Of twenty 95 % intervals, one misses the truth by chance."
        )
    judged = findings.metrics.get(judged_metric(findings.metrics).key, {})
    known = [e.mean for e in judged.values() if e.mean is not None]
    if test.clips and test.majority is None:
        yield (
            f"Random scores have an mAP of about {100 * test.majority_share:.1f} %, the"
            " mean share of the clips that have a class."
        )
    elif test.clips:
        yield (
            f"One test clip is {100 / test.clips:.1f} points. Always answering"
            f" “{test.majority}” is right on {100 * test.majority_share:.1f} %."
        )
    if test.clips and known and max(known) <= test.majority_share:
        yield (
            "No variant beats that: these models have not learnt to tell the classes"
            " apart, and a comparison of them says nothing."
        )
    yield (
        "Intervals over seeds speak of new trainings on these clips, intervals over"
        " clips of these trained models on new clips of the same kind; neither speaks"
        " of other data sets, budgets or settings."
    )


def _points(interval):
    return f"{_point(interval.low)} to {_point(interval.high)}"


def _point(share):
    return f"{100 * share:+.1f}".replace("-", "\N{MINUS SIGN}")


def _p(value):
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _count(number, what):
    return f"{number:,} {what}{'' if number == 1 else 's'}"
