"""What Garmin's API tier answers about an account; None for a path that it does not know."""

import json
import re
from collections.abc import Callable
from typing import Any

from tests.garmin.connect.fake_garmin.accounts import Account
from tests.garmin.connect.fake_garmin.faults import Answer

Query = dict[str, str]
NO_CONTENT = Answer(204)
FORBIDDEN = Answer(403, b'{"message": "forbidden"}')
NOT_FOUND = Answer(404, b'{"message": "not found"}')


def api_answer(account: Account, path: str, query: Query) -> Answer | None:
    for pattern, answer in _ROUTES:
        if match := re.fullmatch(pattern, path):
            return answer(account, query, *match.groups())
    return None


def ok(value: Any) -> Answer:
    """JSON as no serializer of ours writes it: what is kept must be these very bytes."""
    return Answer(200, json.dumps(value, indent=3).encode() + b"\r\n", {"Content-Type": "application/json"})


def _profile(account: Account, _query: Query) -> Answer:
    return ok({"id": 1, "profileId": account.profile_id, "displayName": account.display_name, "fullName": "A Runner"})


def _activity_list(account: Account, query: Query) -> Answer:
    first, last = query.get("startDate", "0000"), query.get("endDate", "9999")
    start, limit = int(query["start"]), int(query["limit"])
    newest_first = sorted(account.activities, key=lambda each: str(each["startTimeLocal"]), reverse=True)
    chosen = [each for each in newest_first if first <= each["startTimeLocal"][:10] <= last]
    return ok(chosen[start : start + limit])


def _activity(account: Account, _query: Query, activity_id: str) -> Answer:
    summary = account.summaries.get(int(activity_id))
    return ok(summary) if summary else NOT_FOUND


def _day(account: Account, query: Query, name: str) -> Answer:
    if name != account.display_name:
        return FORBIDDEN
    day = query["calendarDate"]
    return ok(account.days.get(day, {"calendarDate": day, "totalSteps": None, "restingHeartRate": None}))


def _sleep(account: Account, query: Query, name: str) -> Answer:
    if name != account.display_name:
        return FORBIDDEN
    empty = {"dailySleepDTO": {"id": None, "calendarDate": query["date"], "sleepTimeSeconds": None}}
    return ok(account.sleep.get(query["date"], empty))


def _hrv(account: Account, _query: Query, start: str, end: str) -> Answer:
    chosen = [each for each in account.hrv if start <= each["calendarDate"] <= end]
    return ok({"hrvSummaries": chosen, "userProfilePk": account.profile_id}) if chosen else NO_CONTENT


def _max_metrics(account: Account, _query: Query, start: str, end: str) -> Answer:
    return ok([each for each in account.max_metrics if start <= each["generic"]["calendarDate"] <= end])


def _training_status(account: Account, _query: Query, day: str) -> Answer:
    status = account.training_status.get(day)
    return ok(status) if status else Answer(200, b"")


def _weight(account: Account, query: Query) -> Answer:
    first, last = query["startDate"], query["endDate"]
    chosen = [each for each in account.weights if first <= each["calendarDate"] <= last]
    return ok({"startDate": first, "endDate": last, "dateWeightList": chosen})


_ROUTES: list[tuple[str, Callable[..., Answer]]] = [
    (r"/userprofile-service/socialProfile", _profile),
    (r"/activitylist-service/activities/search/activities", _activity_list),
    (r"/activity-service/activity/(\d+)", _activity),
    (r"/usersummary-service/usersummary/daily/([^/]+)", _day),
    (r"/wellness-service/wellness/dailySleepData/([^/]+)", _sleep),
    (r"/hrv-service/hrv/daily/([\d-]+)/([\d-]+)", _hrv),
    (r"/metrics-service/metrics/maxmet/daily/([\d-]+)/([\d-]+)", _max_metrics),
    (r"/metrics-service/metrics/trainingstatus/aggregated/([\d-]+)", _training_status),
    (r"/weight-service/weight/dateRange", _weight),
]
