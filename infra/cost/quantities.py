"""How much of everything a month takes: the project's own figures, each with where it comes from.

A month is 730 hours. What is counted for a day was counted on made-up athletes, in a run of what the tasks of
`garmin_ingest` do (`tests/cost/test_counted_requests.py` counts it anew).
"""

from dataclasses import dataclass

from include.garmin.fetching import LATE_SYNC_DAYS
from include.garmin.planning import batch_count

HOURS_A_MONTH = 730.0
DAYS_A_MONTH = HOURS_A_MONTH / 24
BUILDS_A_MONTH = DAYS_A_MONTH / 7
"""`model_build` runs at most weekly (`dags/build.py`)."""

HISTORY_YEARS = 5
MONTHS_OF_HISTORY = 12 * HISTORY_YEARS
TABLES = 3
"""activities, days and vo2max."""
TABLE_READS_A_DAY = TABLES * MONTHS_OF_HISTORY
"""`ingest_batch` reads all months of all tables once, after it has rewritten those of the fetched days."""
RAW_READS_A_DAY = 350
"""Of a live source: activities of thirteen months and the documents of a month's days (docs/aws.md)."""
STATE_READS_OF_FILES_A_DAY = 4
"""From which day on raw holds what the tables lack, by three steps; what tells the account."""
STATE_READS_A_DAY = STATE_READS_OF_FILES_A_DAY + 4
"""Through which day an athlete is fetched, by `plan`, `plan_live` and `fetch_live`; until when Garmin is left alone."""
READS_A_DAY = RAW_READS_A_DAY + TABLE_READS_A_DAY + STATE_READS_A_DAY
WRITES_A_DAY = 30
"""23 counted: documents of four days, a month of each table, what the API reads, state; rejected rows beside them."""
LISTS_A_DAY = 32
"""Counted: 5 while fetching, 21 while curating, 3 for the reading of the tables, 3 for what was rejected before."""
WRITES_OF_A_BATCH = TABLES + 1
"""A page of checks a table, and the staged feature rows."""
READS_OF_A_BATCH = 1
"""Of its staged rows, by `write_features`."""
DAY_FILES_OF_A_RUN = LATE_SYNC_DAYS + 1
"""History goes to the offline store in bulk, a file for each fetched day with the rows of all athletes; at most."""
WRITES_OF_A_RUN = DAY_FILES_OF_A_RUN + 1
"""The moment of the last put beside them."""
LISTS_OF_A_RUN = 2
"""Of what was staged, and of the accounts."""
OFFLINE_WRITES_OF_A_RECORD = 1
"""An athlete's newest row is put online, and Feature Store writes it to the offline store; at most an object each."""
RECORDS_A_DAY = 1
"""Newest rows of an athlete; each is asked for once before, to see what the feature group lacks."""
WRITE_UNITS_OF_A_RECORD = 2
"""966 B on average and 996 B at most when made up; a real record with HRV and weight begins a second KB."""
STORED_MB = 25.0
"""Five years of an athlete: 2.7 MB counted for a made-up one, with few documents; a watch sends three a day."""
OFFLINE_OBJECT_KB = 25.0
"""A file of few rows: names and types of its columns take nearly all of it; its rows are with the athletes."""
DAY_FILES_OF_HISTORY = 365 * HISTORY_YEARS
"""Of the first load, for all athletes that are loaded in one run."""

S3_GET_S = 0.015
"""What a task waits for one object within a region; an assumption, never measured here."""
TASKS_OF_A_WORKER = 2
"""Of mw1.small (`WorkerAutoscale` in `infra/stacks/mwaa.yaml`)."""
TASKS_OF_A_BATCH = 2
"""`fetch_live` and `ingest_batch`."""
TASKS_OF_A_RUN = 4
"""`plan`, `plan_live`, `write_features` and `verdict`."""
TASK_KB = 4.0
"""A task instance with its log lines and XComs in Airflow's database, kept for a year; an assumption."""
LOG_KB_OF_A_TASK = 30.0
"""Great Expectations alone writes some two hundred lines when it is imported."""
AIRFLOW_LOG_GB = 1.0
"""Scheduler, DAG processor and web server at WARNING (`infra/stacks/mwaa.yaml`); an assumption."""
TRAFFIC_KB_A_DAY = 300.0
"""Garmin's answers of four days, the puts and the logs of an athlete: what passes the NAT gateway. S3 does not."""
READ_MB_A_DAY = 3.0
"""What the reads of a day weigh: 0.9 MB counted; the documents of a watch are larger than made-up ones."""

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
        """Of one day's run."""
        return batch_count(self.athletes)

    @property
    def offline_objects(self) -> float:
        """Of the offline store, all of which a build reads: the first load, and a year of daily runs."""
        runs = 365 * (DAY_FILES_OF_A_RUN + self.athletes * RECORDS_A_DAY * OFFLINE_WRITES_OF_A_RECORD)
        return DAY_FILES_OF_HISTORY + runs

    @property
    def s3_gets(self) -> float:
        of_a_run = self.athletes * READS_A_DAY + self.batches * READS_OF_A_BATCH
        return DAYS_A_MONTH * of_a_run + BUILDS_A_MONTH * self.offline_objects

    @property
    def s3_puts(self) -> float:
        """PUT and LIST, which cost the same."""
        of_a_record = RECORDS_A_DAY * OFFLINE_WRITES_OF_A_RECORD
        of_athletes = self.athletes * (WRITES_A_DAY + LISTS_A_DAY + of_a_record)
        return DAYS_A_MONTH * (of_athletes + self.batches * WRITES_OF_A_BATCH + WRITES_OF_A_RUN + LISTS_OF_A_RUN)

    @property
    def s3_gb(self) -> float:
        return self.athletes * STORED_MB / 1e3 + self.offline_objects * OFFLINE_OBJECT_KB / 1e6

    @property
    def write_units(self) -> float:
        """Of the online store."""
        return self.athletes * DAYS_A_MONTH * RECORDS_A_DAY * WRITE_UNITS_OF_A_RECORD

    @property
    def read_units(self) -> float:
        """Of the online store, by the daily runs; what forecasts read is with them."""
        return self.athletes * DAYS_A_MONTH * RECORDS_A_DAY

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
        task_s = self.athletes * READS_A_DAY * S3_GET_S
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
