"""One Great Expectations run over the tables of many athletes: importing and starting it costs more than checking."""

import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from typing import Any

import pandas as pd

from include.curate.tables import COLUMNS, Tables
from include.quality.expectations import (
    REJECTED_ROWS_MIN,
    REJECTED_SHARE_MAX,
    RULES,
    Between,
    Known,
    OneOf,
    Rule,
)
from include.quality.verdict import Validation, Verdict


def validate(tables: Mapping[str, Tables]) -> Validation:
    """Check the tables of athletes (by id) against RULES.

    A row that breaks a rule is rejected, with every rule it broke as its reason. A table is condemned as a whole when
    more than REJECTED_SHARE_MAX of an athlete's rows (and at least REJECTED_ROWS_MIN) are rejected.
    """
    context = _context()
    checked = {table: _check(context, table, tables) for table in COLUMNS}
    frames = {table: frame for table, (frame, _, _) in checked.items()}
    reasons = {table: found for table, (_, found, _) in checked.items()}
    verdicts = {athlete: _verdict(athlete, tables[athlete], frames, reasons) for athlete in tables}
    return Validation(verdicts, {table: page for table, (_, _, page) in checked.items()})


def _context() -> Any:
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "False")
    # Its import alone writes some two hundred lines at INFO about itself, in which a task's own would drown.
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    import great_expectations as gx

    context: Any = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    return context


def _check(context: Any, table: str, tables: Mapping[str, Tables]) -> tuple[pd.DataFrame, pd.Series, str]:
    """All athletes' rows of a table, the reason of each rejected row (by the frame's index), and the result page."""
    import great_expectations as gx

    parts = [found.frames()[table] for found in tables.values()]
    parts = [part for part in parts if len(part)] or parts[:1]
    frame = pd.concat(parts, ignore_index=True)
    rules = RULES[table]
    suite = gx.ExpectationSuite(name=table, expectations=[_expectation(rule) for rule in rules])
    asset = context.data_sources.add_pandas(table).add_dataframe_asset(table)
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    result = batch.validate(suite, result_format={"result_format": "COMPLETE"})
    return frame, _reasons(rules, result), _page(result)


def _page(result: Any) -> str:
    """Great Expectations' own page of a result."""
    renderer: Any = import_module("great_expectations.render.renderer")
    view: Any = import_module("great_expectations.render.view")
    return str(view.DefaultJinjaPageView().render(renderer.ValidationResultsPageRenderer().render(result)))


def _expectation(rule: Rule) -> Any:
    gxe: Any = import_module("great_expectations.expectations")
    if isinstance(rule, Between):
        return gxe.ExpectColumnValuesToBeBetween(column=rule.column, min_value=rule.low, max_value=rule.high)
    if isinstance(rule, Known):
        return gxe.ExpectColumnValuesToNotBeNull(column=rule.column)
    if isinstance(rule, OneOf):
        return gxe.ExpectColumnValuesToBeInSet(column=rule.column, value_set=list(rule.values))
    return gxe.ExpectCompoundColumnsToBeUnique(column_list=list(rule.columns))


def _reasons(rules: tuple[Rule, ...], result: Any) -> pd.Series:
    """Every broken rule of each rejected row, joined.

    Raises:
        RuntimeError: an expectation could not be evaluated at all.
    """
    by_row: dict[int, list[str]] = {}
    wanted = {_identity(_expectation(rule).configuration): rule for rule in rules}
    for outcome in result.results:
        if outcome.success:
            continue
        rule = wanted[_identity(outcome.expectation_config)]
        if "unexpected_index_list" not in outcome.result:
            raise RuntimeError(f"Great Expectations could not check {rule.reason}: {outcome.exception_info}")
        for row in outcome.result["unexpected_index_list"]:
            by_row.setdefault(int(row), []).append(rule.reason)
    return pd.Series({row: "; ".join(sorted(found)) for row, found in by_row.items()}, dtype="object")


def _identity(configuration: Any) -> tuple[str, str]:
    kwargs = configuration.kwargs
    return configuration.type, str(kwargs.get("column") or kwargs.get("column_list"))


def _verdict(
    athlete: str, tables: Tables, frames: Mapping[str, pd.DataFrame], reasons: Mapping[str, pd.Series]
) -> Verdict:
    clean: dict[str, pd.DataFrame] = {}
    rejected: dict[str, pd.DataFrame] = {}
    failures = []
    for table, frame in frames.items():
        own = frame[frame["athlete_id"] == athlete]
        if own.empty:
            clean[table] = tables.frames()[table]
            continue
        broken = own.index.isin(reasons[table].index)
        clean[table] = own[~broken].reset_index(drop=True)
        if not broken.any():
            continue
        rows = own[broken].assign(reason=reasons[table].reindex(own.index[broken]))
        rejected[table] = rows.reset_index(drop=True)
        if len(rows) >= REJECTED_ROWS_MIN and len(rows) > REJECTED_SHARE_MAX * len(own):
            failures.append(f"{len(rows)} of {len(own)} rows of {table} rejected, first: {rows['reason'].iloc[0]}")
    kept = replace(tables, activities=clean["activities"], days=clean["days"], vo2max=clean["vo2max"])
    return Verdict(kept, rejected, tuple(failures))
