"""The templates: compiled once, everything escaped, every text made plain.

A region tells a time without how long ago that is, so that it stays the same while time passes; the
whole page tells that too, as of when it was drawn.
"""

from __future__ import annotations

import functools
import re
from datetime import datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from exporter.page import drawing, wording
from exporter.page.assets import assets, version

_MOMENT = re.compile('<time datetime="([0-9TZ:-]{20})" data-ago>')
_PAGES = ("home", "service", "incidents", "incident", "nothing")


def _plain(value: Any) -> Any:
    return wording.plain(value) if isinstance(value, str) and type(value) is not Markup else value


def web_link(text: str) -> str:
    """Return *text* if it is an address of the web, else nothing."""
    return text if text.lower().startswith(("https://", "http://")) else ""


@functools.cache
def environment() -> Environment:
    """Return the environment with every template compiled, so that no request waits for it."""
    made = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        finalize=_plain,
    )
    made.filters |= {
        "iso": wording.iso,
        "took": wording.took,
        "span": wording.span,
        "short": wording.short,
        "web_link": web_link,
    }
    made.globals |= {
        "asset": lambda name: f"/assets/{assets()[name].name}",
        "version": version(),
        "clock": wording.clock,
        "STATES": wording.STATES,
        "QUARTERS": drawing.QUARTERS,
    }
    for name in made.list_templates():
        made.get_template(name)
    return made


def fragment(file: str, macro: str, **given: Any) -> str:
    """Return what *macro* of *file* makes: an element with an id."""
    return str(getattr(environment().get_template(file).module, macro)(**given)).strip()


def whole(name: str, **given: Any) -> str:
    """Return a page; `regions` in *given* are its parts, already escaped."""
    assert name in _PAGES
    regions = {id_: Markup(html) for id_, html in given.pop("regions", {}).items()}  # noqa: S704
    html = environment().get_template(f"{name}.html").render(regions=regions, **given)
    return _MOMENT.sub(lambda found: _with_ago(found, given["now"]), html)


def _with_ago(found: re.Match[str], now: float) -> str:
    at = datetime.fromisoformat(found[1]).timestamp()
    return f'<time datetime="{found[1]}" data-ago="{wording.ago(at, now)}">'
