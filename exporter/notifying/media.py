"""What every medium has in common: it sends a message or raises why it could not."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from exporter.notifying.messages import Message
from exporter.secret import Secret, SecretError, read_key_file


class UndeliveredError(Exception):
    """A message was not delivered. The text says why, without a secret or a word of the receiver.

    refused: another try of the same message, soon, would fare no better.
    certain: the receiver has not taken it; otherwise it may have.
    retry_after: seconds that the receiver asked to wait, None if it did not ask.
    advice: what a person can do.
    """

    def __init__(
        self,
        why: str,
        *,
        advice: str = "",
        refused: bool = False,
        certain: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(why)
        self.advice, self.refused, self.certain = advice, refused, certain
        self.retry_after = retry_after


class Medium(Protocol):
    """One entry of `notify:` that can be sent messages."""

    async def send(self, message: Message, page: str) -> None:
        """Deliver *message* with links to the status page at *page*.

        Raises:
            UndeliveredError: it was not, or perhaps not.
        """

    def secrets(self) -> Iterator[Secret]:
        """Yield what must not be shown anywhere."""


class Hidden:
    """A secret that was given, or is in a file that is read at each use, and once at the start."""

    def __init__(self, secret: Secret | None, file: str | None) -> None:
        self._secret, self._file = secret, file
        if file:
            with contextlib.suppress(UndeliveredError):
                self.read()

    def __bool__(self) -> bool:
        return self._secret is not None or bool(self._file)

    def read(self) -> Secret:
        """Return it; waits for the disk.

        Raises:
            UndeliveredError: the file cannot be read.
        """
        if self._file:
            try:
                self._secret = read_key_file(Path(self._file))
            except SecretError as error:
                what = str(error).replace("key file", "file of its secret")
                raise UndeliveredError(
                    what, advice="mend the file; it is read again at every try", certain=True
                ) from None
        assert self._secret is not None
        return self._secret

    def known(self) -> Iterator[Secret]:
        """Yield it as it was last read."""
        if self._secret is not None:
            yield self._secret
