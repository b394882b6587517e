"""The plots of the report, each as the bytes of a PNG."""

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from include.forecast.coverage import PROMISED_90

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BLUE, _RED, _MUTED, _GOAL = "#1f5fa8", "#a3231d", "#55626f", "#bfe3cd"
_WIDTH_IN, _DPI = 7.6, 144


def skill(buckets: Sequence[Mapping[str, Any]]) -> bytes:
    """CRPS skill of the combined forecast by bucket, with its 95 % interval over athletes."""
    figure, axes = _figure(0.5 + 0.42 * len(buckets))
    for row, bucket in enumerate(reversed(buckets)):
        one = bucket["skills"].get("crps")
        if one:
            _interval(axes, row, one["value"], one["low_95"], one["high_95"])
    axes.axvline(0.0, color=_MUTED, linewidth=1)
    axes.set_yticks(range(len(buckets)), [f"{bucket['bucket']} d" for bucket in reversed(buckets)])
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:+.0%}")
    return _png(figure)


def coverage(buckets: Sequence[Mapping[str, Any]]) -> bytes:
    """Share of readings inside the 90 % bands served, with its 95 % interval, and what may be promised."""
    figure, axes = _figure(0.5 + 0.42 * len(buckets))
    axes.axvspan(*PROMISED_90, color=_GOAL)
    for row, bucket in enumerate(reversed(buckets)):
        one = bucket.get(bucket["served_by"])
        if one:
            _interval(axes, row, one["coverage_90"], one["coverage_90_low_95"], one["coverage_90_high_95"])
    axes.set_yticks(
        range(len(buckets)), [f"{bucket['bucket']} d ({bucket['served_by']})" for bucket in reversed(buckets)]
    )
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    return _png(figure)


def calibration(curves: Mapping[str, Sequence[Mapping[str, float]]]) -> bytes:
    """Observed against promised coverage at every level, a line a bucket; on the diagonal the bands keep their word."""
    figure, axes = _figure(3.4, width=4.2)
    axes.plot([0, 1], [0, 1], color=_MUTED, linewidth=1, linestyle="--")
    for name, points in curves.items():
        axes.plot([p["level"] for p in points], [p["observed"] for p in points], marker="o", ms=3, label=f"{name} d")
    axes.set(xlabel="promised", ylabel="observed", xlim=(0, 1), ylim=(0, 1))
    if curves:
        axes.legend(frameon=False)
    return _png(figure)


def drivers(found: Sequence[Mapping[str, Any]]) -> bytes:
    """How much each input moves a forecast beyond 14 d, on average (ml/kg/min), with its coefficient."""
    figure, axes = _figure(0.5 + 0.3 * max(len(found), 1))
    rows = list(reversed(found))
    bars = axes.barh([one["means"] for one in rows], [one["mean_change"] for one in rows], color=_BLUE, height=0.6)
    labels = ["" if one["coefficient"] is None else f"{one['coefficient']:+.2f}" for one in rows]
    axes.bar_label(bars, labels=labels, padding=4, color=_MUTED)
    axes.set_xlabel("mean change of a forecast (ml/kg/min), and the coefficient", fontsize=8)
    axes.margins(x=0.12)
    return _png(figure)


def fans(cases: Sequence[Mapping[str, Any]]) -> bytes:
    """Forecasts drawn out: last reading, mean, 80 % and 90 % band, and the readings that came (dots)."""
    figure, axes = _figure(2.2, columns=max(len(cases), 1))
    for one, case in zip(axes, cases, strict=False):
        last = case["vo2max_last"]
        day = [0.0] + [p["horizon_days"] for p in case["fan"]]
        mean = [last] + [last + p["mean"] for p in case["fan"]]
        for half, alpha in (("half_90", 0.18), ("half_80", 0.3)):
            width = [0.0] + [p[half] for p in case["fan"]]
            low, high = ([m + sign * w for m, w in zip(mean, width, strict=True)] for sign in (-1, 1))
            one.fill_between(day, low, high, color=_BLUE, alpha=alpha, linewidth=0)
        one.plot(day, mean, color=_BLUE)
        came = [(reading["horizon_days"], last + reading["change"]) for reading in case["came"]]
        one.plot(*zip(*came, strict=True), "o", color=_RED, markersize=4)
        title = f"{case['athlete']}, {case['origin_day']}\nCRPS {case['crps']:.2f}"
        one.set_title(title, fontsize=8, loc="left", parse_math=False)
        one.set_xlabel("days ahead", fontsize=8)
    return _png(figure)


def _figure(height_in: float, width: float = _WIDTH_IN, columns: int = 0) -> "tuple[Figure, Any]":
    """A figure and its axes; with `columns` a row of so many."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height_in), layout="constrained")
    found = figure.subplots(1, max(columns, 1), squeeze=False)[0]
    for one in found:
        one.spines[["top", "right"]].set_visible(False)
        one.tick_params(labelsize=8)
    return figure, found if columns else found[0]


def _interval(axes: Any, row: int, value: float, low: float, high: float) -> None:
    axes.plot([low, high], [row, row], color=_MUTED, linewidth=2)
    axes.plot([value], [row], "o", color=_BLUE)
    axes.annotate(f"{value:.1%}", (1.0, row), xycoords=("axes fraction", "data"), fontsize=8, va="center")


def _png(figure: "Figure") -> bytes:
    """The same bytes for the same figure: the file names neither time nor software."""
    body = io.BytesIO()
    figure.savefig(body, format="png", dpi=_DPI, metadata={"Software": None})
    return body.getvalue()
