"""What a failed answer showed: the part of a failure that is kept besides its reason and times."""

from __future__ import annotations

from dataclasses import dataclass

MAX_EXCERPT_BYTES = 512
"""Of an answer's body, as UTF-8."""
MAX_VALUE_BYTES = 128
"""Of a header, and of a value that an assertion found."""
MAX_HEADERS = 24
MAX_FOUND = 5
"""Failed assertions whose values are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Texts from the answer, bounded, with every secret of ours struck out.

    The server chooses them: show them escaped, never use them as a label.
    """

    answerer: str = ""
    """Who answered: `api`, `edge` or `ours`; empty without an answer."""
    tls_version: str = ""
    cipher: str = ""
    """As OpenSSL names them; of a probe that follows a failed one, for the engine asks no other."""
    headers: tuple[tuple[str, str], ...] = ()
    """Only those of a fixed list, names in lower case."""
    found: tuple[tuple[str, str], ...] = ()
    """For each failed assertion what it is about, and what was there."""
    excerpt: str = ""
    """The beginning of the body, of JSON its error; empty where it may not be shown."""
    network: str = ""
    """What showed that our own network worked: `answer`, `canary`; empty if nothing did."""


NETWORK_WORDS = {
    "answer": "worked: an answer came",
    "canary": "worked: a canary answered",
    "": "not proven: no canary",
}
"""What is said of `Evidence.network`, where it is not our own network that failed."""
NONE = Evidence()
"""Of a failure without an answer, and of one before this was kept."""
