"""Metrics that a job prints, caught by the regular expressions of its MetricDefinitions."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from infra.localaws.sagemaker.errors import ValidationException


class MetricCatcher:
    """Reads log lines; keeps the last value of every metric."""

    def __init__(self, definitions: Iterable[Mapping[str, str]]) -> None:
        """Raises ValidationException for a regular expression that is none."""
        try:
            self._patterns = [(it["Name"], re.compile(it["Regex"])) for it in definitions]
        except re.error as error:
            raise ValidationException(f"Invalid MetricDefinitions: {error}") from error
        self._last: dict[str, tuple[float, datetime]] = {}

    def read(self, line: str, at: datetime) -> dict[str, float]:
        """The metrics found in one line; the first group of the expression is the value."""
        found = {}
        for name, pattern in self._patterns:
            for match in pattern.finditer(line):
                value = _number(match.group(1) if pattern.groups else match.group(0))
                if value is not None:
                    found[name] = value
                    self._last[name] = (value, at)
        return found

    def final(self) -> list[dict[str, Any]]:
        """The FinalMetricDataList of DescribeTrainingJob."""
        return [{"MetricName": name, "Value": value, "Timestamp": at} for name, (value, at) in self._last.items()]


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None
