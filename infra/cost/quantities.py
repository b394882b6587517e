"""How much of everything a month takes: the project's own figures, each with where it comes from.

A month is 730 hours. What is counted for a day was counted on one made-up athlete with five years of history, whose day
was fetched, curated and read again (`tests/cost/test_counted_requests.py` counts it anew).
"""

from dataclasses import dataclass
from math import ceil

from include.garmin.planning import ATHLETES_PER_BATCH

HOURS_A_MONTH = 730.0
DAYS_A_MONTH = HOURS_A_MONTH / 24
BUILDS_A_MONTH = DAYS_A_MONTH / 7
"""`model_build` runs at most weekly (`dags/build.py`)."""

HISTORY_YEARS = 5
MONTHS_OF_HISTORY = 12 * HISTORY_YEARS
TABLES = 3
"""activities, days and vo2max."""
TABLE_READS_A_DAY = 2 * TABLES * MONTHS_OF_HISTORY
"""`validate` and `features` both read all months of all tables."""
RAW_READS_A_DAY = 350
"""Of a live source: activities of thirteen months and the documents of a month's days (docs/aws.md)."""
WRITES_A_DAY = 25
"""17 counted: documents of four days, a month of each table; history document, rejected rows and state beside them."""
LISTS_A_DAY = 23
"""Counted: 5 while fetching, 12 while curating, 3 for each reading of the tables."""
WRITES_OF_A_BATCH = 5
"""A page of checks a table, and the notes of the run; in batches of `ATHLETES_PER_BATCH`."""
FEATURE_ROWS_A_DAY = 4
"""The day and three days of late syncs: rows of history go to the offline store in bulk, the newest online."""
WRITE_UNITS_OF_A_RECORD = 2
"""966 B on average and 996 B at most when made up; a real record with HRV and weight begins a second KB."""
STORED_MB = 25.0
"""Five years of an athlete: 2.3 MB counted for a made-up one, with few documents; a watch sends three a day."""
OFFLINE_WRITES_OF_A_YEAR = 365
"""The first load: at most an object a row; fewer where rows of a month share one."""

S3_GET_S = 0.015
"""What a task waits for one object within a region; an assumption, never measured here."""
TASKS_OF_A_WORKER = 5
"""Of mw1.small, as MWAA sets it."""
TASKS_OF_A_BATCH = 4
TASKS_OF_A_RUN = 6
TASK_KB = 4.0
"""A task instance with its log lines and XComs in Airflow's database, kept for a year; an assumption."""
LOG_KB_OF_A_TASK = 30.0
"""Great Expectations alone writes some two hundred lines when it is imported."""
AIRFLOW_LOG_GB = 1.0
"""Scheduler, DAG processor and web server at WARNING (`infra/stacks/mwaa.yaml`); an assumption."""
TRAFFIC_KB_A_DAY = 300.0
"""Garmin's answers of four days, the puts and the logs of an athlete: what passes the NAT gateway. S3 does not."""
READ_MB_A_DAY = 3.0
"""What the reads of a day weigh: 1.3 MB counted; the documents of a watch are larger than made-up ones."""

REQUESTS_A_DAY = 10
"""Forecasts that an athlete asks for: the page opened some times, the slider moved."""
LAMBDA_GB = 0.5
"""`MemorySize` of the API's function."""
LAMBDA_S = 0.1
LOG_KB_OF_A_REQUEST = 1.0
INFERENCE_S = 0.1
"""A forecast takes 6 ms here (forecast_p50_ms); by the network and a fifth of this machine's cores, taken as 100."""
COLD_START_S = 24.5
"""The container's first answer, measured with the image's own versions on two busy cores."""
COLD_STARTS_A_DAY_AT_MOST = 48
"""A serverless endpoint that is asked twice an hour or more stays awake: taken as one start each half hour at most."""
ALARMS = 3

JOB_START_S = 180.0
"""An instance is paid from its start; image and data come first. An assumption."""
TRAIN_S_OF_AN_ATHLETE = 33.0 / 1000
"""train_1000x5y_s: 33 s for 4.6 million rows on two cores, as ml.m5.large has."""
EVALUATE_S_OF_AN_ATHLETE = 1.38 / 31_994 * 4_630
"""evaluate_12x3y_s: 1.38 s for 31 994 rows; an athlete with five years has 4 630."""
PREPROCESS_S_OF_AN_ATHLETE = EVALUATE_S_OF_AN_ATHLETE
"""Taken as long as the evaluation: both read every row once."""
TRAIN_GIB_OF_AN_ATHLETE = 2_678 / 1024 / 1000
"""train_mib: 2 678 MiB for 1 000 athletes."""


@dataclass(frozen=True)
class Quantities:
    """What a month of some number of athletes takes."""

    athletes: int

    @property
    def batches(self) -> int:
        """Of one day's run; at least two (`include/garmin/planning.py`)."""
        return max(min(2, self.athletes), ceil(self.athletes / ATHLETES_PER_BATCH))

    @property
    def s3_gets(self) -> float:
        reads = (RAW_READS_A_DAY + TABLE_READS_A_DAY) * DAYS_A_MONTH
        return self.athletes * (reads + BUILDS_A_MONTH * MONTHS_OF_HISTORY)

    @property
    def s3_puts(self) -> float:
        """PUT and LIST, which cost the same."""
        of_athletes = self.athletes * (WRITES_A_DAY + LISTS_A_DAY + FEATURE_ROWS_A_DAY)
        return DAYS_A_MONTH * (of_athletes + self.batches * WRITES_OF_A_BATCH)

    @property
    def s3_gb(self) -> float:
        return self.athletes * STORED_MB / 1000

    @property
    def write_units(self) -> float:
        """One record online an athlete and day."""
        return self.athletes * DAYS_A_MONTH * WRITE_UNITS_OF_A_RECORD

    @property
    def requests(self) -> float:
        return self.athletes * REQUESTS_A_DAY * DAYS_A_MONTH

    @property
    def cold_starts(self) -> float:
        """Of a serverless endpoint."""
        return min(self.requests, COLD_STARTS_A_DAY_AT_MOST * DAYS_A_MONTH)

    @property
    def worker_hours(self) -> float:
        """Of workers that MWAA adds, as if it added them for all work of the day."""
        task_s = self.athletes * (RAW_READS_A_DAY + TABLE_READS_A_DAY) * S3_GET_S
        return DAYS_A_MONTH * task_s / TASKS_OF_A_WORKER / 3600

    @property
    def tasks(self) -> float:
        return DAYS_A_MONTH * (TASKS_OF_A_RUN + self.batches * TASKS_OF_A_BATCH)

    @property
    def database_gb(self) -> float:
        """Of Airflow, with a year of runs."""
        return 1 + 12 * self.tasks * TASK_KB / 1e6

    @property
    def log_gb(self) -> float:
        return AIRFLOW_LOG_GB + (self.tasks * LOG_KB_OF_A_TASK + self.requests * LOG_KB_OF_A_REQUEST) / 1e6

    @property
    def traffic_gb(self) -> float:
        return self.athletes * TRAFFIC_KB_A_DAY * DAYS_A_MONTH / 1e6

    @property
    def read_gb(self) -> float:
        """Out of S3 by the tasks; it costs where Airflow runs outside of AWS."""
        return self.athletes * READ_MB_A_DAY * DAYS_A_MONTH / 1e3

    @property
    def job_hours(self) -> float:
        """Of the three jobs of every build."""
        work_s = TRAIN_S_OF_AN_ATHLETE + EVALUATE_S_OF_AN_ATHLETE + PREPROCESS_S_OF_AN_ATHLETE
        return BUILDS_A_MONTH * (3 * JOB_START_S + self.athletes * work_s) / 3600

    @property
    def job_gib(self) -> float:
        """Memory that the training needs."""
        return self.athletes * TRAIN_GIB_OF_AN_ATHLETE
