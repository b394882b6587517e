"""What must hold of each row of each table, made of the limits and of what identifies a row."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from include.curate.tables import KEYS, SPORTS, VO2MAX_SPORTS
from include.quality.limits import ANY, FORECAST_VALUES, LIMITS, Severity


@dataclass(frozen=True)
class Between:
    """A number, where it is known, lies from `low` to `high`.

    Attributes:
        sports: the sports that this holds for; empty: for all but those in `other_sports`.
    """

    column: str
    low: float
    high: float
    sports: tuple[str, ...] = ()
    other_sports: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        of_sports = f" ({', '.join(self.sports)})" if self.sports else ""
        return f"{self.column} outside {self.low:.15g} to {self.high:.15g}{of_sports}"

    @property
    def row_condition(self) -> str | None:
        """The rows that this holds for, as pandas' `query` reads it; None: all."""
        if self.sports:
            return f"sport in {list(self.sports)}"
        return f"sport not in {list(self.other_sports)}" if self.other_sports else None


@dataclass(frozen=True)
class Known:
    """A value is not missing."""

    column: str

    @property
    def reason(self) -> str:
        return f"{self.column} missing"


@dataclass(frozen=True)
class OneOf:
    """A value, where it is known, is in the list."""

    column: str
    values: tuple[str, ...]

    @property
    def reason(self) -> str:
        return f"{self.column} not one of {', '.join(self.values)}"


@dataclass(frozen=True)
class UniqueTogether:
    """No two rows share these columns."""

    columns: tuple[str, ...]

    @property
    def reason(self) -> str:
        return f"not unique by {', '.join(self.columns)}"


Rule = Between | Known | OneOf | UniqueTogether


def _limits(table: str) -> Iterator[Between]:
    for column, by_sport in LIMITS[table].items():
        own = tuple(sport for sport in by_sport if sport != ANY)
        yield Between(column, *by_sport[ANY], other_sports=own)
        for limits in dict.fromkeys(by_sport[sport] for sport in own):
            yield Between(column, *limits, sports=tuple(sport for sport in own if by_sport[sport] == limits))


RULES: Mapping[str, tuple[Rule, ...]] = {
    "activities": (
        UniqueTogether(KEYS["activities"]),
        Known("activity_id"),
        Known("day"),
        OneOf("sport", SPORTS),
        *_limits("activities"),
    ),
    "days": (UniqueTogether(KEYS["days"]), Known("day"), *_limits("days")),
    "vo2max": (
        UniqueTogether(KEYS["vo2max"]),
        Known("day"),
        OneOf("sport", VO2MAX_SPORTS),
        Known("vo2max"),
        *_limits("vo2max"),
    ),
}


def costs_the_row(table: str, rule: Rule) -> bool:
    """Whether a row that breaks a rule is no row: it cannot be told from others, or what it is there for is missing."""
    if isinstance(rule, UniqueTogether | Known):
        return True
    return rule.column in KEYS[table] or Known(rule.column) in RULES[table]


def worst_severity(table: str, rule: Rule) -> Severity:
    """What a rule does when too many rows break it."""
    stops = costs_the_row(table, rule) or getattr(rule, "column", None) in FORECAST_VALUES.get(table, ())
    return Severity.STOP if stops else Severity.QUARANTINE
