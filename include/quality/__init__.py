"""Expectations on the curated tables: what fails goes to quarantine with its reason, what is clean goes on."""

from include.quality.check import validate
from include.quality.store import write_data_docs, write_quarantine
from include.quality.verdict import DataRejected, Validation, Verdict

__all__ = ["DataRejected", "Validation", "Verdict", "validate", "write_data_docs", "write_quarantine"]
