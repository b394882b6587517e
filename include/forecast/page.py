"""The evaluation as one self-contained HTML page: verdict, skill, calibration, athletes, limits."""

import base64
from html import escape
from typing import Any

from include.forecast import plots
from include.forecast.baselines import BANISTER, LOCAL_LEVEL, PLAIN_PERSISTENCE, RIDGE
from include.forecast.methods import DAMPED_DRIFT, FORECASTER, PERSISTENCE
from include.forecast.own_record import COMBINED

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#1b2733;background:#fff}
h1{font-size:1.5rem;margin-bottom:.2rem}h2{font-size:1.1rem;margin-top:2rem}table{border-collapse:collapse;width:100%}
th,td{text-align:right;padding:.25rem .5rem;border-bottom:1px solid #dde3e9}
th:first-child,td:first-child,.text{text-align:left}td:first-child{white-space:nowrap}td{vertical-align:top}
.yes{color:#11643a}.no{color:#a3231d}.muted{color:#55626f}img{max-width:100%;height:auto}
"""
_METHODS = (COMBINED, FORECASTER, PERSISTENCE, PLAIN_PERSISTENCE, DAMPED_DRIFT, LOCAL_LEVEL, BANISTER, RIDGE)
_LIMITS = (
    "The watch's VO2max is itself an estimate, about 5 % off the laboratory and up to 10 % in the highly trained; what "
    "is forecast is its next readings.",
    "Readings are mostly whole numbers that often stay: mean absolute error rewards 'no change'; CRPS decides.",
    "Overlapping windows are not independent: intervals come from resampling athletes, not readings.",
    "Bands are tested on athletes and seasons of this data; a new watch or firmware can shift readings by a step.",
    "Not for medical decisions, and not for comparing athletes: watches differ by more than most forecasts change.",
)


def report_plots(evaluation: dict[str, Any]) -> dict[str, bytes]:
    """The plots of an evaluation document by name: PNGs of their own, and what the page shows."""
    buckets, cases = evaluation["buckets"], evaluation["cases"]
    return {
        "skill": plots.skill(buckets),
        "coverage": plots.coverage(buckets),
        "calibration": plots.calibration(evaluation["calibration"]),
        "drivers": plots.drivers(evaluation["drivers"]),
        "typical": plots.fans(cases["typical"]),
        "worst": plots.fans(cases["worst"]),
    }


def report_page(evaluation: dict[str, Any], manifest: dict[str, Any], pictures: dict[str, bytes]) -> str:
    """HTML of an evaluation document, the manifest of its dataset and its plots; loads nothing from elsewhere."""
    gate, buckets = evaluation["gate"], evaluation["buckets"]
    verdict = "Approved" if gate["approved"] else "Not approved"
    cuts = manifest.get("cuts")
    tested = f"tested on {cuts['test']} and later" if cuts else "not tested: too few readings to cut"
    mood = "yes" if gate["approved"] else "no"
    parts = [
        f"<h1>VO2max forecast, 1–42 days: <span class='{mood}'>{verdict}</span></h1>",
        f"<p class='muted'>Dataset {escape(str(manifest.get('dataset_version', '')))}, as of "
        f"{escape(str(manifest.get('as_of', '')))}; {tested}.</p>",
        _answers_table(buckets),
        _list(gate["reasons"] if not gate["approved"] else []),
        "<h2>Skill of the combined forecast against persistence with bands of the same kind (CRPS, 95 % interval over "
        "athletes of this deployment)</h2>",
        _picture(pictures["skill"], "CRPS skill by horizon with its interval"),
        "<h2>Share of readings inside the 90 % bands served (promised: 87–94 %)</h2>",
        _picture(pictures["coverage"], "coverage of the 90 % bands by horizon"),
        "<h2>Calibration: what the bands promise, and what they keep</h2>",
        _picture(pictures["calibration"], "observed against promised coverage, a line a range of days"),
        "<h2>CRPS of every method (ml/kg/min, less is better)</h2>",
        _methods_table(buckets),
        "<h2>CRPS skill of the combined forecast by athlete</h2>",
        _athlete_table(evaluation["athletes"], [bucket["bucket"] for bucket in buckets]),
        "<h2>What drives it: an association, not an effect</h2>",
        _picture(pictures["drivers"], "mean change that each input makes"),
        f"<p class='muted'>What-if is {'on' if evaluation['what_if']['enabled'] else 'off'}: "
        f"{escape(str(evaluation['what_if']['reason']))}.</p>",
        "<h2>Typical forecasts: mean, 80 % and 90 % band, and the readings that came (dots)</h2>",
        _picture(pictures["typical"], "typical forecasts"),
        "<h2>The worst forecasts</h2>",
        _picture(pictures["worst"], "worst forecasts"),
        "<h2>Notes and limits</h2>",
        _list([*evaluation["notes"], *manifest.get("notes", []), *_LIMITS]),
    ]
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>VO2max forecast report</title>"
        "<meta name='viewport' content='width=device-width,initial-scale=1'>"
        f"<style>{_STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def _picture(png: bytes, alt: str) -> str:
    return f"<img alt='{escape(alt)}' src='data:image/png;base64,{base64.b64encode(png).decode()}'>"


def _answers_table(buckets: list[dict[str, Any]]) -> str:
    """What answers each bucket, and why: all that a person must know to decide."""
    rows = []
    for bucket in buckets:
        why = " ".join([*(f"{reason}." for reason in bucket["reasons"]), bucket["sentence"]])
        rows.append(
            f"<tr><td>{bucket['bucket']} d<td class='text'><b>{bucket['served_by']}</b><td>{bucket['n']}"
            f"<td>{bucket['athletes']}<td class='text'>{escape(why)}"
        )
    head = "<tr><th>days<th class='text'>answered by<th>rows<th>athletes<th class='text'>why"
    return f"<table>{head}{''.join(rows)}</table>"


def _list(items: Any) -> str:
    return "<ul>" + "".join(f"<li>{escape(str(item))}</li>" for item in items) + "</ul>"


def _methods_table(buckets: list[dict[str, Any]]) -> str:
    """The best of each row is bold; then RMSE and width of what is served."""
    head = "<tr><th>days" + "".join(f"<th>{name.replace('_', ' ')}" for name in _METHODS) + "<th>RMSE<th>90 % width"
    rows = []
    for bucket in buckets:
        if COMBINED not in bucket:
            rows.append(f"<tr><td>{bucket['bucket']}<td colspan={len(_METHODS) + 2}>no test readings")
            continue
        scores = {name: bucket[name]["crps"] for name in _METHODS if name in bucket}
        best = min(scores.values())
        cells = "".join(
            f"<td>{'<b>' if score == best else ''}{score:.3f}{'</b>' if score == best else ''}"
            for score in scores.values()
        )
        served = bucket[bucket["served_by"]]
        rows.append(f"<tr><td>{bucket['bucket']}{cells}<td>{served['rmse']:.2f}<td>{served['width_90']:.2f}")
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
