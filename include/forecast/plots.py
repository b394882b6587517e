"""The plots of the report, as inline SVG."""

from html import escape
from typing import Any

_INK, _MUTED, _BLUE = "#1b2733", "#55626f", "#1f5fa8"
Mark = tuple[str, float, float, float]
"""Label, value, and the ends of its interval."""


def chart(marks: list[Mark | None], span: tuple[float, float], low: float, high: float) -> str:
    """Points with intervals, a line each; the goal is the shaded stretch from `low` to `high` (a line when equal)."""
    shown = [mark for mark in marks if mark]
    if not shown:
        return "<p class='muted'>No test readings.</p>"

    def x(value: float) -> float:
        return 170 + 520 * (min(max(value, span[0]), span[1]) - span[0]) / (span[1] - span[0])

    bottom = 24 + 28 * len(shown)
    goal = (
        f"<rect x='{x(low):.1f}' y='4' width='{max(x(high) - x(low), 1.5):.1f}' height='{bottom - 16}' fill='#bfe3cd'/>"
    )
    ticks = "".join(
        f"<text x='{x(value):.1f}' y='{bottom + 6}' text-anchor='middle' fill='{_MUTED}'>{value:.0%}</text>"
        for value in (span[0], (span[0] + span[1]) / 2, span[1])
    )
    rows = []
    for index, (label, value, first, last) in enumerate(shown):
        y = 20 + 28 * index
        rows.append(
            f"<text x='0' y='{y + 4}'>{escape(label)}</text>"
            f"<line x1='{x(first):.1f}' x2='{x(last):.1f}' y1='{y}' y2='{y}' stroke='{_INK}' stroke-width='2'/>"
            f"<circle cx='{x(value):.1f}' cy='{y}' r='5' fill='{_BLUE}'/>"
            f"<text x='700' y='{y + 4}'>{value:.1%}</text>"
        )
    return f"<svg viewBox='0 0 760 {bottom + 12}' role='img'>{goal}{ticks}{''.join(rows)}</svg>"


def bars(drivers: list[dict[str, Any]]) -> str:
    """How much each input moves a forecast beyond 14 d, on average (ml/kg/min)."""
    if not drivers:
        return "<p class='muted'>No test readings.</p>"
    most = max([1e-9, *(one["mean_change"] for one in drivers)])
    rows = []
    for index, one in enumerate(drivers):
        y = 6 + 26 * index
        sign = "" if one["coefficient"] is None else f", coefficient {one['coefficient']:+.2f}"
        rows.append(
            f"<text x='470' y='{y + 13}' text-anchor='end'>{escape(one['means'])}</text>"
            f"<rect x='480' y='{y}' width='{150 * one['mean_change'] / most:.1f}' height='17' fill='{_BLUE}'/>"
            f"<text x='{486 + 150 * one['mean_change'] / most:.1f}' y='{y + 13}'>"
            f"{one['mean_change']:.2f}{sign}</text>"
        )
    return f"<svg viewBox='0 0 800 {10 + 26 * len(drivers)}' role='img'>{''.join(rows)}</svg>"


def fan(case: dict[str, Any]) -> str:
    """One forecast drawn out, and the reading that came."""
    points, came, last = case["fan"], case["came"], case["vo2max_last"]
    reach = 1.1 * max(*(abs(p["mean"]) + p["half_90"] for p in points), abs(came["change"]), 1.0)

    def at(day: float, change: float) -> str:
        return f"{34 + 230 * day / 45:.1f},{75 - 65 * change / reach:.1f}"

    def band(half: str, fill: str) -> str:
        upper = [at(p["horizon_days"], p["mean"] + p[half]) for p in points]
        lower = [at(p["horizon_days"], p["mean"] - p[half]) for p in reversed(points)]
        return f"<polygon points='{' '.join([at(0, 0), *upper, *lower])}' fill='{fill}'/>"

    line = " ".join([at(0, 0), *(at(p["horizon_days"], p["mean"]) for p in points)])
    x, y = at(came["horizon_days"], came["change"]).split(",")
    labels = "".join(
        f"<text x='0' y='{75 - 65 * change / reach + 4:.1f}' fill='{_MUTED}'>{last + change:.0f}</text>"
        for change in (-reach, 0.0, reach)
    )
    title = f"{escape(case['athlete'])}, {escape(case['origin_day'])}, CRPS {case['crps']:.1f}"
    return (
        f"<figure><figcaption class='muted'>{title}</figcaption><svg viewBox='0 0 270 150' role='img'>"
        f"{band('half_90', '#dbe7f4')}{band('half_80', '#b5cfea')}{labels}"
        f"<polyline points='{line}' fill='none' stroke='{_BLUE}' stroke-width='2'/>"
        f"<circle cx='{x}' cy='{y}' r='4' fill='#a3231d'/></svg></figure>"
    )
