"""Calendar months, by which history is loaded."""

from datetime import date, timedelta


def months(start: date, end: date, per_piece: int = 1) -> list[tuple[date, date]]:
    """First and last day of every `per_piece` calendar months that `start` to `end` touches, clipped, newest first.

    Raises:
        ValueError: `start` is after `end`.
    """
    if start > end:
        raise ValueError(f"start {start} is after end {end}")
    pieces = []
    last = end
    while last >= start:
        first = last.replace(day=1)
        for _ in range(per_piece - 1):
            first = (first - timedelta(days=1)).replace(day=1)
        pieces.append((max(first, start), last))
        last = first - timedelta(days=1)
    return pieces
