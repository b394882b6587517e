"""The bills of a month as an SVG without any library: a bar for each number of athletes, a colour for each group."""

from collections.abc import Sequence
from html import escape

from infra.cost.bill import Bill, Group

COLOURS = {
    Group.AIRFLOW: "#4e79a7",
    Group.NETWORK: "#a0cbe8",
    Group.SERVING: "#f28e2b",
    Group.JOBS: "#59a14f",
    Group.DATA: "#e15759",
    Group.LOGS: "#bab0ac",
}
WIDTH, LEFT, RIGHT, BAR, GAP, TOP = 760, 120, 90, 26, 14, 40


def bars(bills: Sequence[Bill]) -> str:
    """A picture of the bills, each as long as its total."""
    scale = (WIDTH - LEFT - RIGHT) / max(each.total_usd for each in bills)
    height = TOP + len(bills) * (BAR + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="13">',
        "<title>US dollars a month by number of athletes</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        *_legend(),
    ]
    for row, each in enumerate(bills):
        parts += _bar(each, TOP + row * (BAR + GAP), scale)
    return "\n".join([*parts, "</svg>", ""])


def _legend() -> list[str]:
    parts, x = [], LEFT
    for group, colour in COLOURS.items():
        parts.append(f'<rect x="{x}" y="10" width="12" height="12" fill="{colour}"/>')
        parts.append(f'<text x="{x + 17}" y="21">{escape(group.value)}</text>')
        x += 35 + 8 * len(group.value)
    return parts


def _bar(each: Bill, y: int, scale: float) -> list[str]:
    middle = y + BAR // 2 + 5
    name = f"{each.athletes:,} athlete{'s' * (each.athletes > 1)}".replace(",", " ")
    parts, x = [f'<text x="{LEFT - 8}" y="{middle}" text-anchor="end">{name}</text>'], float(LEFT)
    for group, colour in COLOURS.items():
        width = each.of_group(group) * scale
        parts.append(f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{colour}"/>')
        x += width
    return [*parts, f'<text x="{x + 6:.1f}" y="{middle}">{each.total_usd:,.0f} $</text>'.replace(",", " ")]
