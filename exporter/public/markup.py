"""The templates of this room, rendered as HTML or as XML."""

from __future__ import annotations

import re
from typing import Any

from exporter.page.templates import environment_of

# XML 1.0 cannot hold them, HTML can; `plain` has replaced all others by then.
_NOT_IN_XML = re.compile("[\ufffe\uffff]")


def html(template: str, **context: Any) -> str:
    """Return the text of *template*; every value is escaped."""
    return environment_of(__package__).get_template(template).render(**context)


def xml(template: str, **context: Any) -> str:
    """Return the text of *template*, which is well-formed whatever the values hold."""
    return _NOT_IN_XML.sub("\ufffd", html(template, **context))
