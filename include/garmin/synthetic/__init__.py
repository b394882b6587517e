"""Synthetic athletes: seeded physiology, told as Garmin tells it."""

from include.garmin.synthetic.source import SyntheticSource

__all__ = ["SyntheticSource"]
