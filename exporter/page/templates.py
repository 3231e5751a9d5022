"""The templates: compiled once, with every value escaped and passed through `characters.plain`.

A region shows a time without its age ("5 min ago"), so that its HTML stays the same while time
passes and is not sent again. A whole page gets the ages as of the time it was drawn.
"""

from __future__ import annotations

import functools
import re
from datetime import datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from exporter.characters import plain
from exporter.evidence import NETWORK_WORDS
from exporter.incidents import told_sentence
from exporter.model import OURS
from exporter.page import drawing, timeline, wording
from exporter.page.assets import path_of, version
from exporter.statuspages import sentence

_TIME_ELEMENT = re.compile('<time datetime="([0-9TZ:-]{20})" data-ago>')
_CODE = re.compile("`([^`]+)`")
_PAGES = ("home", "service", "incidents", "incident", "nothing", "api")


def _plain(value: Any) -> Any:
    # Markup is our own HTML; any other str may hold what a peer or a user sent.
    return plain(value) if isinstance(value, str) and type(value) is not Markup else value


def coded(text: str) -> Markup:
    """Return *text* as HTML in which what is between two backticks is code.

    >>> coded("run `top`, not <b>")
    Markup('run <code>top</code>, not &lt;b&gt;')
    """
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(plain(text)))))  # noqa: S704


def web_link(text: str) -> str:
    """Return *text* if it is an http or https URL, else an empty string.

    A `javascript:` URL would run in the page when somebody clicks the link.
    """
    return text if text.lower().startswith(("https://", "http://")) else ""


@functools.cache
def environment_of(package: str) -> Environment:
    """Return the environment of the templates in *package*, compiled when they are first used.

    Every value is escaped, and passed through `wording.plain`.
    """
    result = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        finalize=_plain,
    )
    result.filters |= {
        "iso": wording.iso,
        "took": wording.took,
        "span": wording.span,
        "short": wording.short,
        "web_link": web_link,
        "coded": coded,
    }
    result.globals["utc_time"] = wording.utc_time
    return result


@functools.cache
def environment() -> Environment:
    """Return that of the page with every template compiled, which takes half a second."""
    result = environment_of(__package__)
    result.globals |= {
        "asset": path_of,
        "version": version(),
        "told_sentence": told_sentence,
        "lead_sentence": sentence,
        "STATES": wording.STATES,
        "FAULTS": wording.FAULTS,
        "OURS": OURS,
        "ANSWERERS": wording.ANSWERERS,
        "NETWORK_WORDS": NETWORK_WORDS,
        "waterfall": drawing.waterfall,
        "QUARTERS": drawing.QUARTERS,
        "NOW_X": timeline.NOW_X,
    }
    for name in result.list_templates():
        result.get_template(name)
    return result


def fragment(file: str, macro: str, **arguments: Any) -> str:
    """Return the HTML of *macro* in *file*: one element with an id."""
    return str(getattr(environment().get_template(file).module, macro)(**arguments)).strip()


def whole_page(name: str, **context: Any) -> str:
    """Return the HTML of a page, with the ages of times as of `now` in *context*.

    `regions` in *context* are its parts by id, as `fragment` returns them: already escaped.
    """
    assert name in _PAGES
    regions = {id_: Markup(html) for id_, html in context.pop("regions", {}).items()}  # noqa: S704
    html = environment().get_template(f"{name}.html").render(regions=regions, **context)
    return _TIME_ELEMENT.sub(lambda match: _with_age(match, context["now"]), html)


def _with_age(match: re.Match[str], now: float) -> str:
    at = datetime.fromisoformat(match[1]).timestamp()
    return f'<time datetime="{match[1]}" data-ago="{wording.ago(at, now)}">'
