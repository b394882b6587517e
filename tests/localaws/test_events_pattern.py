"""EventBridge's pattern language, operator by operator."""

from typing import Any

import pytest

from infra.localaws.events.pattern import PatternError, compile_pattern

EVENT = {
    "source": "aws.sagemaker",
    "detail-type": "SageMaker Model Package State Change",
    "resources": ["arn:aws:sagemaker:us-east-1:1:model-package/a/1", "arn:other"],
    "detail": {
        "status": "Approved",
        "count": 5,
        "rate": -2.5,
        "flag": True,
        "none": None,
        "empty": "",
        "tags": ["red", "blue"],
        "ip": "10.0.0.7",
        "path": "a/b*c.csv",
        "nested": {"deep": {"er": "yes"}},
        "items": [{"kind": "a", "size": 1}, {"kind": "b", "size": 9}],
        "no-items": [],
    },
}


@pytest.mark.parametrize(
    ("detail", "matches"),
    [
        ({"status": ["Approved"]}, True),
        ({"status": ["Rejected"]}, False),
        ({"status": ["approved"]}, False),
        ({"status": ["Rejected", "Approved"]}, True),
        ({"status": ["Approved"], "count": [6]}, False),
        ({"count": [5]}, True),
        ({"count": [5.0]}, True),
        ({"count": ["5"]}, False),
        ({"flag": [True]}, True),
        ({"flag": [1]}, False),
        ({"count": [True]}, False),
        ({"none": [None]}, True),
        ({"missing": [None]}, False),
        ({"empty": [""]}, True),
        ({"tags": ["blue"]}, True),
        ({"tags": ["green"]}, False),
        ({"nested": {"deep": {"er": ["yes"]}}}, True),
        ({"nested": {"deep": {"er": ["no"]}}}, False),
        ({"items": {"kind": ["b"]}}, True),
        ({"items": {"kind": ["c"]}}, False),
        ({"status": [{"prefix": "App"}]}, True),
        ({"status": [{"prefix": "app"}]}, False),
        ({"status": [{"prefix": {"equals-ignore-case": "aPP"}}]}, True),
        ({"count": [{"prefix": "5"}]}, False),
        ({"path": [{"suffix": ".csv"}]}, True),
        ({"path": [{"suffix": ".CSV"}]}, False),
        ({"path": [{"suffix": {"equals-ignore-case": ".CSV"}}]}, True),
        ({"status": [{"equals-ignore-case": "APPROVED"}]}, True),
        ({"status": [{"equals-ignore-case": "APPROVE"}]}, False),
        ({"status": [{"anything-but": "Rejected"}]}, True),
        ({"status": [{"anything-but": "Approved"}]}, False),
        ({"status": [{"anything-but": ["Rejected", "Approved"]}]}, False),
        ({"count": [{"anything-but": [1, 2]}]}, True),
        ({"count": [{"anything-but": 5}]}, False),
        ({"missing": [{"anything-but": "x"}]}, False),
        ({"status": [{"anything-but": {"prefix": "Rej"}}]}, True),
        ({"status": [{"anything-but": {"prefix": ["Rej", "App"]}}]}, False),
        ({"status": [{"anything-but": {"suffix": "ved"}}]}, False),
        ({"status": [{"anything-but": {"equals-ignore-case": ["APPROVED"]}}]}, False),
        ({"path": [{"anything-but": {"wildcard": "*.csv"}}]}, False),
        ({"count": [{"numeric": ["=", 5]}]}, True),
        ({"count": [{"numeric": [">", 0, "<=", 5]}]}, True),
        ({"count": [{"numeric": [">", 5]}]}, False),
        ({"rate": [{"numeric": ["<", 0]}]}, True),
        ({"flag": [{"numeric": ["=", 1]}]}, False),
        ({"status": [{"numeric": [">", 0]}]}, False),
        ({"status": [{"exists": True}]}, True),
        ({"missing": [{"exists": True}]}, False),
        ({"missing": [{"exists": False}]}, True),
        ({"status": [{"exists": False}]}, False),
        ({"absent": {"below": [{"exists": False}]}}, True),
        ({"none": [{"exists": True}]}, True),
        ({"no-items": [{"exists": True}]}, False),
        ({"path": [{"wildcard": "a/*.csv"}]}, True),
        ({"path": [{"wildcard": "a/b\\*c.csv"}]}, True),
        ({"path": [{"wildcard": "a/b\\*.csv"}]}, False),
        ({"status": [{"wildcard": "App"}]}, False),
        ({"ip": [{"cidr": "10.0.0.0/24"}]}, True),
        ({"ip": [{"cidr": "10.0.1.0/24"}]}, False),
        ({"$or": [{"status": ["Rejected"]}, {"count": [5]}]}, True),
        ({"$or": [{"status": ["Rejected"]}, {"count": [6]}]}, False),
        ({"status": ["Approved"], "$or": [{"count": [6]}, {"flag": [False]}]}, False),
        ({"status": ["Rejected", {"prefix": "App"}]}, True),
    ],
)
def test_operators(detail: dict[str, Any], matches: bool) -> None:
    import json

    assert compile_pattern(json.dumps({"detail": detail}))(EVENT) is matches


def test_every_part_of_the_envelope_can_be_matched() -> None:
    pattern = '{"source": [{"prefix": "aws."}], "resources": [{"prefix": "arn:aws:sagemaker"}], "detail-type": [{"wildcard": "SageMaker*Change"}]}'
    assert compile_pattern(pattern)(EVENT)
    assert not compile_pattern(pattern)({**EVENT, "resources": ["arn:other"]})


@pytest.mark.parametrize(
    "pattern",
    [
        "no json",
        "[]",
        "{}",
        '{"source": "aws"}',
        '{"source": []}',
        '{"detail": {}}',
        '{"source": [["a"]]}',
        '{"source": [{"like": "a"}]}',
        '{"source": [{"prefix": "a", "suffix": "b"}]}',
        '{"source": [{"prefix": 1}]}',
        '{"source": [{"exists": "yes"}]}',
        '{"source": [{"numeric": [">"]}]}',
        '{"source": [{"numeric": ["~", 1]}]}',
        '{"source": [{"anything-but": []}]}',
        '{"source": [{"anything-but": {"numeric": ["=", 1]}}]}',
        '{"source": [{"wildcard": "a**"}]}',
        '{"source": [{"cidr": "nowhere"}]}',
        '{"$or": [{"source": ["a"]}]}',
    ],
)
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        compile_pattern(pattern)
