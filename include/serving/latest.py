"""The newest record of an athlete in the feature store: what every forecast starts from."""

from dataclasses import dataclass
from datetime import date

from botocore.exceptions import ClientError

from include.features.schema import EVENT_TIME, SPORT, from_record
from include.serving import deployment
from include.serving.clients import client
from include.serving.problem import no_data, unavailable


@dataclass(frozen=True)
class Latest:
    """The newest record of an athlete."""

    as_of: date
    sport: str
    features: dict[str, float | None]
    fingerprint: int
    """Differs when any value of the record does."""


def latest_record(athlete_id: str) -> Latest:
    """Read the newest record of an athlete.

    Raises:
        Problem: 404 no data yet, 503 the feature store is not deployed.
    """
    group = deployment.name("FEATURE_GROUP")
    try:
        answer = client("sagemaker-featurestore-runtime").get_record(
            FeatureGroupName=group, RecordIdentifierValueAsString=athlete_id
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFound":
            raise
        raise unavailable("The feature store is not deployed", f"There is no feature group {group}.") from error
    record: list[dict[str, str]] | None = answer.get("Record")
    if not record:
        raise no_data(athlete_id)
    values = {item["FeatureName"]: item["ValueAsString"] for item in record}
    return Latest(
        as_of=date.fromisoformat(values[EVENT_TIME][:10]),
        sport=values[SPORT],
        features=from_record(record),
        fingerprint=hash(tuple(sorted(values.items()))),
    )
