"""The days of which the tables hold a precise VO2max already: of those no FIT file need be asked for."""

import csv
import io
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from include.lake import curated_key

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass
class PreciseDays:
    """One athlete's precise running VO2max by day, read from the table by months as they are asked for."""

    s3: "S3Client"
    bucket: str
    athlete_id: str
    _months: dict[str, dict[str, float]] = field(default_factory=dict)

    def running(self, day: date) -> float | None:
        """The precise value of the day, ml/kg/min; None where there is none."""
        month = f"{day:%Y-%m}"
        if month not in self._months:
            self._months[month] = self._read(month)
        return self._months[month].get(day.isoformat())

    def _read(self, month: str) -> dict[str, float]:
        try:
            found = self.s3.get_object(Bucket=self.bucket, Key=curated_key("vo2max", self.athlete_id, month))
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchKey":
                raise
            return {}
        rows = csv.DictReader(io.StringIO(found["Body"].read().decode()))
        return {
            row["day"]: float(row["vo2max"])
            for row in rows
            if row["sport"] == "running" and row["is_precise"].lower() in ("true", "1")
        }
