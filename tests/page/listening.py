"""What a screen reader gets: Chromium's accessibility tree, in the order in which it is read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from playwright.async_api import Page

LANDMARKS = {"banner", "navigation", "main", "search", "region", "complementary", "form"}
NAMED = {
    "link",
    "button",
    "heading",
    "searchbox",
    "textbox",
    "combobox",
    "checkbox",
    "image",
    "table",
    "DisclosureTriangle",
    "columnheader",
    "rowheader",
}
"""Roles that mean nothing without a name; some with their name in Chromium."""
_SILENT = {"none", "generic", "InlineTextBox", "LineBreak", "ListMarker", "LabelText", "paragraph"}


class Heard(NamedTuple):
    """One element as it is read out."""

    role: str
    name: str
    properties: dict[str, Any]


async def listen(page: Page) -> list[Heard]:
    """Return what is read out of *page* from its beginning to its end."""
    session = await page.context.new_cdp_session(page)
    try:
        nodes = (await session.send("Accessibility.getFullAXTree"))["nodes"]
    finally:
        await session.detach()
    return list(_walk(nodes[0], {node["nodeId"]: node for node in nodes}))


def _walk(node: dict[str, Any], nodes: dict[str, dict[str, Any]]) -> Iterator[Heard]:
    role = str(node.get("role", {}).get("value", ""))
    if not node["ignored"] and role not in _SILENT:
        properties = {p["name"]: p["value"].get("value") for p in node.get("properties", ())}
        name = " ".join(str(node.get("name", {}).get("value", "")).split())
        yield Heard(role, name, properties)
    for child in node.get("childIds", ()):
        if child in nodes:
            yield from _walk(nodes[child], nodes)


def outline(heard: list[Heard]) -> list[str]:
    """Return the landmarks with their names, and the headings with their level and text."""
    return [
        f"h{one.properties['level']} {one.name}"
        if one.role == "heading"
        else f"{one.role} {one.name}".strip()
        for one in heard
        if one.role == "heading" or (one.role in LANDMARKS and (one.name or one.role != "form"))
    ]
