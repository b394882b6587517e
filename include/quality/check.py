"""One Great Expectations run over the tables of many athletes: importing and starting it costs more than checking."""

import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import pandas as pd

from include.curate.tables import COLUMNS, Tables
from include.quality.expectations import RULES, Between, Known, OneOf, Rule, costs_the_row, worst_severity
from include.quality.limits import SAMPLE_ROWS, STOP_ROWS, STOP_SHARE, Severity
from include.quality.understanding import not_understood
from include.quality.verdict import FailedCheck, Validation, Verdict


@dataclass(frozen=True)
class Checked:
    """A table of all athletes, the rows (by the frame's index) that break each rule, and the result page."""

    frame: pd.DataFrame
    broken: Mapping[Rule, list[int]]
    page: str


def validate(tables: Mapping[str, Tables]) -> Validation:
    """Check the tables of athletes (by id) against RULES.

    A row that cannot be told from others, or lacks what it is there for, is rejected, with every rule it broke as its
    reason. Any other value that breaks a rule is left out, and its row stays. `limits` says from which share on this
    stops the athlete.
    """
    context = _context()
    checked = {table: _check(context, table, tables) for table in COLUMNS}
    verdicts = {athlete: _verdict(athlete, tables[athlete], checked) for athlete in tables}
    return Validation(verdicts, {table: found.page for table, found in checked.items()})


def _context() -> Any:
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "False")
    # Its import alone writes some two hundred lines at INFO about itself, in which a task's own would drown.
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    import great_expectations as gx

    context: Any = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    return context


def _check(context: Any, table: str, tables: Mapping[str, Tables]) -> Checked:
    """All athletes' rows of a table against its rules."""
    import great_expectations as gx

    parts = [found.frames()[table] for found in tables.values()]
    parts = [part for part in parts if len(part)] or parts[:1]
    frame = pd.concat(parts, ignore_index=True)
    suite = gx.ExpectationSuite(name=table, expectations=[_expectation(table, rule) for rule in RULES[table]])
    asset = context.data_sources.add_pandas(table).add_dataframe_asset(table)
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    result = batch.validate(suite, result_format={"result_format": "COMPLETE"})
    return Checked(frame, _broken(table, result), _page(result))


def _page(result: Any) -> str:
    """Great Expectations' own page of a result."""
    renderer: Any = import_module("great_expectations.render.renderer")
    view: Any = import_module("great_expectations.render.view")
    return str(view.DefaultJinjaPageView().render(renderer.ValidationResultsPageRenderer().render(result)))


def _expectation(table: str, rule: Rule) -> Any:
    gxe: Any = import_module("great_expectations.expectations")
    meta = {"severity": str(worst_severity(table, rule))}
    if isinstance(rule, Between):
        condition = {"row_condition": rule.row_condition, "condition_parser": "pandas"} if rule.row_condition else {}
        return gxe.ExpectColumnValuesToBeBetween(
            column=rule.column, min_value=rule.low, max_value=rule.high, meta=meta, **condition
        )
    if isinstance(rule, Known):
        return gxe.ExpectColumnValuesToNotBeNull(column=rule.column, meta=meta)
    if isinstance(rule, OneOf):
        return gxe.ExpectColumnValuesToBeInSet(column=rule.column, value_set=list(rule.values), meta=meta)
    return gxe.ExpectCompoundColumnsToBeUnique(column_list=list(rule.columns), meta=meta)


def _broken(table: str, result: Any) -> dict[Rule, list[int]]:
    """The rows that break each rule, in order.

    Raises:
        RuntimeError: an expectation could not be evaluated at all.
    """
    broken: dict[Rule, list[int]] = {}
    rules = {_identity(_expectation(table, rule).configuration): rule for rule in RULES[table]}
    for outcome in result.results:
        if outcome.success:
            continue
        rule = rules[_identity(outcome.expectation_config)]
        if "unexpected_index_list" not in outcome.result:
            raise RuntimeError(f"Great Expectations could not check {rule.reason}: {outcome.exception_info}")
        broken[rule] = sorted(int(row) for row in outcome.result["unexpected_index_list"])
    return broken


def _identity(configuration: Any) -> tuple[str, str, str]:
    kwargs = configuration.kwargs
    columns = str(kwargs.get("column") or kwargs.get("column_list"))
    return configuration.type, columns, str(kwargs.get("row_condition"))


def _verdict(athlete: str, tables: Tables, checked: Mapping[str, Checked]) -> Verdict:
    clean: dict[str, pd.DataFrame] = {}
    rejected: dict[str, pd.DataFrame] = {}
    left_out: dict[str, pd.DataFrame] = {}
    checks: list[FailedCheck] = list(not_understood(athlete, tables))
    for table, found in checked.items():
        own = found.frame[found.frame["athlete_id"] == athlete]
        ids = set(own.index)
        every = {rule: [row for row in rows if row in ids] for rule, rows in found.broken.items()}
        broken = {rule: rows for rule, rows in every.items() if rows}
        if not broken:
            clean[table] = tables.frames()[table] if own.empty else own.reset_index(drop=True)
            continue
        lost_rows = _reasons({rule: rows for rule, rows in broken.items() if costs_the_row(table, rule)}, broken)
        lost_values = _reasons({rule: rows for rule, rows in broken.items() if not costs_the_row(table, rule)}, broken)
        lost_values = lost_values.drop(lost_rows.index, errors="ignore")
        if len(lost_rows):
            rejected[table] = _with_reasons(own, lost_rows)
        if len(lost_values):
            left_out[table] = _with_reasons(own, lost_values)
        clean[table] = _without(own, table, broken).drop(lost_rows.index).reset_index(drop=True)
        checks += _checks(athlete, table, own, broken, len(lost_rows))
    kept = replace(tables, activities=clean["activities"], days=clean["days"], vo2max=clean["vo2max"])
    return Verdict(kept, rejected, left_out, tuple(checks))


def _reasons(chosen: Mapping[Rule, list[int]], broken: Mapping[Rule, list[int]]) -> pd.Series:
    """Every broken rule of each row that breaks one of the `chosen`, joined."""
    by_row: dict[int, list[str]] = {row: [] for rows in chosen.values() for row in rows}
    for rule, rows in broken.items():
        for row in rows:
            if row in by_row:
                by_row[row].append(rule.reason)
    return pd.Series({row: "; ".join(sorted(by_row[row])) for row in sorted(by_row)}, dtype="object")


def _with_reasons(own: pd.DataFrame, reasons: pd.Series) -> pd.DataFrame:
    return own.loc[reasons.index].assign(reason=reasons).reset_index(drop=True)


def _without(own: pd.DataFrame, table: str, broken: Mapping[Rule, list[int]]) -> pd.DataFrame:
    """The rows without the values that break a rule of single values; a sport that is none of ours is `other`."""
    kept = own.copy()
    for rule, rows in broken.items():
        if isinstance(rule, Between | OneOf) and not costs_the_row(table, rule):
            kept.loc[rows, rule.column] = "other" if isinstance(rule, OneOf) else float("nan")
    return kept


def _checks(
    athlete: str, table: str, own: pd.DataFrame, broken: Mapping[Rule, list[int]], rejected: int
) -> Iterator[FailedCheck]:
    """The failed checks of a table, those that stop the athlete first."""
    found = []
    for rule, rows in broken.items():
        tells = int(own[rule.column].notna().sum()) if isinstance(rule, Between | OneOf) else len(own)
        # Rows that break rules of different kinds add up: together they may be most of a table.
        lost, of = (rejected, len(own)) if costs_the_row(table, rule) else (len(rows), tells)
        is_much = lost >= STOP_ROWS and lost > STOP_SHARE * of
        severity = worst_severity(table, rule) if is_much else Severity.QUARANTINE
        samples = tuple(_sample(table, own.loc[[row]].iloc[0], rule) for row in rows[:SAMPLE_ROWS])
        found.append(FailedCheck(athlete, table, rule.reason, severity, len(rows), tells, samples))
    yield from sorted(found, key=lambda check: check.severity != Severity.STOP)


def _sample(table: str, row: pd.Series, rule: Rule) -> str:
    """Which row it is, and the value that breaks the rule."""
    day = "no day" if pd.isna(row["day"]) else f"{row['day']:%Y-%m-%d}"
    name = f"activity {row['activity_id']} of {day}" if table == "activities" else day
    if not isinstance(rule, Between | OneOf):
        return name
    value = row[rule.column]
    return f"{name}: {value:.10g}" if isinstance(value, float) else f"{name}: {value}"
