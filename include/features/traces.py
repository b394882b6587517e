"""Which days the tables tell the training of: a missing day is not a rest day, nor is one whose activity is missing."""

import numpy as np

from include.features.days import Flags, last_position

REST_DAYS = 7
"""A day without any trace of the watch is rest for so many days after the last trace; after that it is unknown."""


def load_is_known(is_active: Flags, has_body: Flags, has_reading: Flags) -> Flags:
    """Whether the watch left a trace that day or no more than REST_DAYS before: an activity, a reading, a worn day."""
    seen = is_active | has_body | has_reading
    known: Flags = np.arange(len(seen)) - last_position(seen) <= REST_DAYS
    return known


def lacks_activities(is_active: Flags, has_reading: Flags) -> Flags:
    """Whether activities are missing: from a reading without one, that day or the day before, until the next activity.

    A watch estimates VO2max from activities alone, so there was one that the tables do not have: the download or the
    export is of part of the account.
    """
    explained = is_active | np.append(False, is_active[:-1])
    lacking: Flags = last_position(has_reading & ~explained) > last_position(is_active)
    return lacking
