"""The bucket's layout: every key of the project is made here, and nowhere else."""

from datetime import date, datetime

TABLES = ("activities", "days", "vo2max")
LISTING_KIND = "listing"
"""Raw kind of what made up the whole of a source when it was read: see `include/garmin/listing.py`."""
RAW_KINDS = (
    "activity_list", "activity", "day", "sleep", "hrv", "max_metrics", "training_status", "export", LISTING_KIND,
)  # fmt: skip
DAY_KINDS = frozenset(("day", "sleep", "hrv", "max_metrics", "training_status"))
"""Raw kinds that tell of days alone and of no activity."""


def raw_prefix(athlete_id: str) -> str:
    return f"raw/athlete_id={athlete_id}/"


def raw_key(athlete_id: str, kind: str, last_day: date, document_id: str) -> str:
    """Key of one response as received; `last_day` is the last local day that the response covers."""
    if kind not in RAW_KINDS:
        raise ValueError(f"unknown kind of raw document {kind!r}; one of {', '.join(RAW_KINDS)}")
    return f"{raw_prefix(athlete_id)}{kind}/{last_day:%Y/%m/%d}/{document_id}.json"


def quarantine_raw_stem(athlete_id: str, kind: str, last_day: date, document_id: str) -> str:
    """What the keys of a response that cannot be read begin with: `.body` and `.reason.json` follow."""
    return f"quarantine/raw/athlete_id={athlete_id}/{kind}/{last_day:%Y/%m/%d}/{document_id}"


def curated_prefix(table: str, athlete_id: str) -> str:
    if table not in TABLES:
        raise ValueError(f"unknown table {table!r}; one of {', '.join(TABLES)}")
    return f"curated/{table}/athlete_id={athlete_id}/"


def curated_key(table: str, athlete_id: str, month: str) -> str:
    """Key of one month (`YYYY-MM`) of a table."""
    return f"{curated_prefix(table, athlete_id)}month={month}/part.csv"


def quarantine_prefix(table: str, athlete_id: str) -> str:
    return f"quarantine/{table}/athlete_id={athlete_id}/"


def quarantine_key(table: str, athlete_id: str, month: str) -> str:
    return f"{quarantine_prefix(table, athlete_id)}month={month}/rejected.csv"


def data_docs_key(run: str, table: str) -> str:
    """Key of Great Expectations' page of one table in one run."""
    return f"quality/run={run}/{table}.html"


def history_key(athlete_id: str) -> str:
    """Key of the readings and training load that the API shows; rebuilt by every ingest run."""
    return f"serving/history/athlete_id={athlete_id}/history.json"


def origins_key(athlete_id: str) -> str:
    """Key of the days that the endpoint works an athlete's own record out of; rebuilt by every ingest run."""
    return f"serving/origins/athlete_id={athlete_id}/origins.json"


ATHLETES_KEY = "config/athletes.json"
"""The one list of athletes; its form: `include/garmin/registry.py`."""
API_KEYS_KEY = "config/api-keys.json"
"""Which athletes each API key reads: `{"<id of the key>": ["*"] | ["<athlete id>", …]}`."""
NOT_BEFORE_KEY = "state/garmin/not-before.json"
"""Until when Garmin asked to be left alone: `{"not_before": "…"}`."""


def watermark_key(athlete_id: str) -> str:
    """Key of the day through which an athlete was fetched without a gap: `{"through": "YYYY-MM-DD"}`."""
    return f"state/garmin/watermark/athlete_id={athlete_id}.json"


def pending_key(athlete_id: str) -> str:
    """Key of the first day of what raw holds and an athlete's tables lack: `{"since": "YYYY-MM-DD"}`, or null."""
    return f"state/garmin/pending/athlete_id={athlete_id}.json"


def account_key(athlete_id: str) -> str:
    """Key of what tells an athlete's account: `{"activity_ids": […], "first_day": "…", "last_day": "…"}`."""
    return f"{ACCOUNTS_PREFIX}athlete_id={athlete_id}.json"


ACCOUNTS_PREFIX = "state/garmin/accounts/"
"""Of every athlete, what tells that two are one."""


def garmin_lease_key(athlete_id: str) -> str:
    """Key of the lease that one run takes while it renews an athlete's tokens."""
    return f"state/garmin/lease/athlete_id={athlete_id}.json"


LAST_PUT_KEY = "state/features/last-put.json"
"""When the last features run had put all its rows: `{"put_at": "…", "feature_group": "…"}`."""


STAGED_FEATURES_PREFIX = "state/features/staged/"
"""Feature rows of many athletes on their way to the offline store: Parquet, deleted once they are there."""


def staged_features_prefix(run: str) -> str:
    """Prefix of what one run has staged."""
    return f"{STAGED_FEATURES_PREFIX}run={run}/"


def staged_features_key(run: str, batch: int) -> str:
    """Key of the feature rows of one batch of a run."""
    return f"{staged_features_prefix(run)}batch={batch:05d}.parquet"


def athlete_places(athlete_id: str) -> list[str]:
    """Prefixes and keys of all that holds nothing but one athlete's data; no other athlete's begin with one of them."""
    tables = [place(table, athlete_id) for table in TABLES for place in (curated_prefix, quarantine_prefix)]
    shown = [history_key(athlete_id), origins_key(athlete_id)]
    own = [raw_prefix(athlete_id), f"quarantine/raw/athlete_id={athlete_id}/", *tables, *shown]
    state = [key(athlete_id) for key in (watermark_key, pending_key, account_key, garmin_lease_key)]
    return [*own, *state]


DATASETS_PREFIX = "datasets/"
REPORTS_PREFIX = "reports/"
DATA_DOCS_PREFIX = "quality/"
FEATURE_STORE_PREFIX = "feature-store/"
RELEASE_KEY = "code/release.json"
"""What is released now: `{"version": "…"}`; the code itself is under `code/version=…/`."""


def code_prefix(version: str) -> str:
    """Prefix of one release: `jobs/` (a tree), `lambda.zip`, `stacks/*.yaml`."""
    return f"code/version={version}/"


def dataset_prefix(version: str) -> str:
    return f"datasets/version={version}/"


def model_prefix(version: str) -> str:
    return f"models/version={version}/"


def report_prefix(version: str) -> str:
    return f"reports/version={version}/"


def version_of(moment: datetime) -> str:
    """A version name that sorts by time, e.g. `20261123t235900z`."""
    return f"{moment:%Y%m%dt%H%M%Sz}"
