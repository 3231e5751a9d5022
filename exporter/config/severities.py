"""How bad an alert is, in the words of the shipped rules and routes."""

from __future__ import annotations

from typing import Literal

Severity = Literal["critical", "high", "medium", "low"]
