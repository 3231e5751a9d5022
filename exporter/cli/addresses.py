"""The addresses of other servers on the command line: without a password, which `ps` would show."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from exporter.cli.usage import UsageError
from exporter.secret import SecretError, read_key_file

_FILE = "file:"


def server_url(text: str, option: str) -> str:
    """Return the URL in *text*, the value of *option*, or in the file of `file:PATH`.

    Only one from a file may have a user and a password; no message repeats *text*.

    Raises:
        UsageError: it is no URL, has a password on the command line, or the file cannot be read.
    """
    if text.startswith(_FILE):
        try:
            url = read_key_file(Path(text.removeprefix(_FILE))).reveal()
        except SecretError as error:
            raise UsageError(f"{option}: {str(error).replace('key file', 'file')}") from None
        return _checked(url, f"the file of {option}")
    if "@" in _checked(text, option).partition("://")[2].partition("/")[0]:
        raise UsageError(
            f"{option} must not have a user or a password: every process of the machine can read "
            f"them there; write the whole URL to a file and give {option} file:PATH"
        )
    return text


def _checked(url: str, option: str) -> str:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or parts.query or parts.fragment:
        raise UsageError(f"{option} must be an http:// or https:// URL without a query")
    return url
