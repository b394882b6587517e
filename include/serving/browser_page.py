"""The page as one file: markup, style and script from `page/`, put together once a process."""

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "page"


@dataclass(frozen=True)
class Page:
    html: str
    policy: str
    """Content-Security-Policy: this style and this script, calls to where the page came from, and nothing else."""
    etag: str


@cache
def page() -> Page:
    """The page as it is sent."""
    style = (FOLDER / "page.css").read_text()
    script = "".join((FOLDER / name).read_text() for name in ("chart.js", "page.js"))
    html = (FOLDER / "index.html").read_text()
    html = html.replace("/*STYLE*/", style).replace("/*SCRIPT*/", script)
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return Page(html, policy, f'"{hashlib.sha256(html.encode()).hexdigest()[:16]}"')


def response(if_none_match: str | None) -> dict[str, Any]:
    """The page for API Gateway, or 304 where the browser has it."""
    found = page()
    headers = {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": found.policy,
        "Content-Type": "text/html; charset=utf-8",
        "ETag": found.etag,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    if if_none_match == found.etag:
        return {"statusCode": 304, "headers": headers, "body": ""}
    return {"statusCode": 200, "headers": headers, "body": found.html}


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
