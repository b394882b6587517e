"""What garmin_ingest and garmin_backfill do, without Airflow: from Garmin's answers to feature rows in both stores."""
