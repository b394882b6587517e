"""The shape of a feature group, and what a record must be to enter it."""

import math
from dataclasses import dataclass
from typing import Any

from infra.localaws.featurestore.event_time import event_time_us

_INT64 = 2**63


class RecordError(ValueError):
    """A record that the group refuses; the text goes to the caller."""


@dataclass(frozen=True)
class Schema:
    """Names and types (Integral, Fractional, String) of a feature group."""

    record_id: str
    event_time: str
    types: dict[str, str]

    def check(self, record: Any) -> "CheckedRecord":
        """The keys of a record as PutRecord receives it.

        Raises:
            RecordError: for unknown, repeated or missing features and values of another type.
        """
        if not isinstance(record, list) or not record:
            raise RecordError("Record must hold at least one feature")
        values: dict[str, str] = {}
        for feature in record:
            name, value = _name_and_value(feature)
            if name in values:
                raise RecordError(f"Feature [{name}] is given more than once")
            self._check_value(name, value)
            values[name] = value
        for required in (self.record_id, self.event_time):
            if not values.get(required):
                raise RecordError(f"Record is missing the required feature [{required}]")
        return CheckedRecord(values[self.record_id], self.moment_us(values[self.event_time]))

    def moment_us(self, event_time: str) -> int:
        """An event time of this group in microseconds since 1970; RecordError where it is none."""
        try:
            return event_time_us(event_time, self.types[self.event_time])
        except ValueError as error:
            raise RecordError(f"Invalid event time for feature [{self.event_time}]: {error}") from error

    def _check_value(self, name: str, value: str) -> None:
        feature_type = self.types.get(name)
        if feature_type is None:
            raise RecordError(f"FeatureGroup has no feature with the name [{name}]")
        if feature_type != "String" and not _is_number(value, feature_type):
            raise RecordError(f"Feature [{name}] is of type {feature_type}, which [{value[:64]}] is not")


@dataclass(frozen=True)
class CheckedRecord:
    """What orders and finds a record."""

    record_id: str
    event_time_us: int


def _name_and_value(feature: Any) -> tuple[str, str]:
    if isinstance(feature, dict):
        name, value = feature.get("FeatureName"), feature.get("ValueAsString")
        if "ValueAsStringList" in feature:
            raise RecordError(f"Feature [{name}]: ValueAsStringList (collections) is not supported by local AWS")
        if isinstance(name, str) and isinstance(value, str):
            return name, value
    raise RecordError("Every feature of a Record needs a FeatureName and a ValueAsString")


def _is_number(text: str, feature_type: str) -> bool:
    try:
        if feature_type == "Integral":
            return -_INT64 <= int(text) < _INT64
        return math.isfinite(float(text))
    except ValueError:
        return False
