"""The evaluation as one self-contained HTML page: verdict, skill, calibration, athletes, limits."""

from html import escape
from typing import Any

from include.forecast.coverage import PROMISED_90
from include.forecast.gate import LEAST_CRPS_SKILL

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#1b2733;background:#fff}
h1{font-size:1.5rem;margin-bottom:.2rem}h2{font-size:1.1rem;margin-top:2rem}table{border-collapse:collapse;width:100%}
th,td{text-align:right;padding:.25rem .5rem;border-bottom:1px solid #dde3e9}
th:first-child,td:first-child{text-align:left}
.yes{color:#11643a}.no{color:#a3231d}.muted{color:#55626f}svg{width:100%;height:auto}svg text{font:12px system-ui}
"""
_ERROR_COLUMNS = ("CRPS", "of persistence", "RMSE", "of persistence", "90 % width")
_BUCKET_COLUMNS = ("days", "answers", "rows", "athletes", *_ERROR_COLUMNS)
_LIMITS = (
    "The watch's VO2max is itself an estimate, 3–10 % off the laboratory; what is forecast is the next readings.",
    "Readings are mostly whole numbers that often stay: mean absolute error rewards 'no change'; CRPS decides.",
    "Overlapping windows are not independent: intervals come from resampling athletes, not readings.",
    "Bands are tested on athletes and seasons of this data; a new watch or firmware can shift readings by a step.",
    "Associations, not effects: the planned training load is no input, what-if is off.",
)


def report_page(evaluation: dict[str, Any], manifest: dict[str, Any]) -> str:
    """HTML of an evaluation document and the manifest of its dataset; loads nothing from elsewhere."""
    gate, buckets = evaluation["gate"], evaluation["buckets"]
    verdict = "Approved" if gate["approved"] else "Not approved"
    cuts = manifest.get("cuts")
    tested = f"tested on {cuts['test']} and later" if cuts else "not tested: too few readings to cut"
    mood = "yes" if gate["approved"] else "no"
    parts = [
        f"<h1>VO2max forecast, 1–42 days: <span class='{mood}'>{verdict}</span></h1>",
        f"<p class='muted'>Dataset {escape(str(manifest.get('dataset_version', '')))}, as of "
        f"{escape(str(manifest.get('as_of', '')))}; {tested}.</p>",
        _list([*gate["reasons"], *evaluation["notes"], *manifest.get("notes", [])]),
        "<h2>Skill against persistence (CRPS, 95 % interval over athletes)</h2>",
        _chart([_skill_mark(bucket) for bucket in buckets], (-0.3, 0.3), LEAST_CRPS_SKILL, LEAST_CRPS_SKILL),
        "<h2>Share of readings inside the 90 % bands served</h2>",
        _chart([_coverage_mark(bucket) for bucket in buckets], (0.6, 1.0), *PROMISED_90),
        "<h2>By horizon (ml/kg/min)</h2>",
        _bucket_table(buckets),
        "<h2>CRPS skill by athlete</h2>",
        _athlete_table(evaluation["athletes"], [bucket["bucket"] for bucket in buckets]),
        "<h2>Limits</h2>",
        _list(_LIMITS),
    ]
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>VO2max forecast report</title>"
        "<meta name='viewport' content='width=device-width,initial-scale=1'>"
        f"<style>{_STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def _list(items: Any) -> str:
    return "<ul>" + "".join(f"<li>{escape(str(item))}</li>" for item in items) + "</ul>"


def _skill_mark(bucket: dict[str, Any]) -> tuple[str, float, float, float] | None:
    skill = bucket["skills"].get("crps")
    return skill and (f"{bucket['bucket']} d", skill["value"], skill["low_95"], skill["high_95"])


def _coverage_mark(bucket: dict[str, Any]) -> tuple[str, float, float, float] | None:
    served = bucket.get(bucket["served_by"])
    label = f"{bucket['bucket']} d ({bucket['served_by']})"
    return served and (
        label,
        served["coverage_90"],
        served["coverage_90_low_95"],
        served["coverage_90_high_95"],
    )


def _chart(
    marks: list[tuple[str, float, float, float] | None], span: tuple[float, float], low: float, high: float
) -> str:
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
        f"<text x='{x(value):.1f}' y='{bottom + 6}' text-anchor='middle' fill='#55626f'>{value:.0%}</text>"
        for value in (span[0], (span[0] + span[1]) / 2, span[1])
    )
    rows = []
    for index, (label, value, first, last) in enumerate(shown):
        y = 20 + 28 * index
        rows.append(
            f"<text x='0' y='{y + 4}'>{escape(label)}</text>"
            f"<line x1='{x(first):.1f}' x2='{x(last):.1f}' y1='{y}' y2='{y}' stroke='#1b2733' stroke-width='2'/>"
            f"<circle cx='{x(value):.1f}' cy='{y}' r='5' fill='#1f5fa8'/>"
            f"<text x='700' y='{y + 4}'>{value:.1%}</text>"
        )
    return f"<svg viewBox='0 0 760 {bottom + 12}' role='img'>{goal}{ticks}{''.join(rows)}</svg>"


def _bucket_table(buckets: list[dict[str, Any]]) -> str:
    head = "<tr>" + "".join(f"<th>{name}" for name in _BUCKET_COLUMNS)
    rows = []
    for bucket in buckets:
        start = f"<tr><td>{bucket['bucket']}<td>{bucket['served_by']}<td>{bucket['n']}<td>{bucket['athletes']}"
        if "forecaster" not in bucket:
            rows.append(start + "<td colspan=5>no test readings")
            continue
        ours, theirs = bucket["forecaster"], bucket["persistence"]
        numbers = (ours["crps"], theirs["crps"], ours["rmse"], theirs["rmse"], bucket[bucket["served_by"]]["width_90"])
        rows.append(start + "".join(f"<td>{number:.2f}" for number in numbers))
    return f"<table>{head}{''.join(rows)}</table>"


def _athlete_table(athletes: dict[str, dict[str, float]], buckets: list[str]) -> str:
    if not athletes:
        return "<p class='muted'>No test readings.</p>"
    head = "<tr><th>athlete" + "".join(f"<th>{bucket} d" for bucket in buckets)
    rows = [
        f"<tr><td>{escape(name)}" + "".join(_share(skills.get(bucket)) for bucket in buckets)
        for name, skills in sorted(athletes.items())
    ]
    return f"<table>{head}{''.join(rows)}</table>"


def _share(value: float | None) -> str:
    if value is None:
        return "<td class='muted'>–"
    return f"<td class='{'no' if value < 0 else 'yes'}'>{value:+.1%}"
