"""Status pages that attack their reader: whatever cannot be read is unknown, never operational."""

from __future__ import annotations

import json
from typing import Any

from exporter.statuspages import ADAPTERS, State
from tests.hostile.bodies import BROTLI, coded
from tests.hostile.http1 import sized
from tests.hostile.table import MARK, USUAL_MEMORY, Misdeed, later, page, placed
from tests.mischief import endless, gzip_bomb, raw
from tests.vendor import Behaviour, answer, head_of, redirect

MIB = 1 << 20
GREEN: dict[str, Any] = {
    "better_stack": {"data": {"attributes": {"aggregate_state": "operational"}}},
    "google_cloud": [],
    "incident_io": {"ongoing_incidents": [], "in_progress_maintenances": []},
    "instatus": {"page": {"status": "UP"}},
    "slack": {"status": "ok", "active_incidents": []},
    "statuspage": {"status": {"indicator": "none"}, "incidents": []},
    "stripe_legacy": {"UptimeStatus": "up"},
    "incident_io_compat": {"status": {"indicator": "none"}, "incidents": []},
    "rootly": {"status": {"indicator": "none"}, "incidents": []},
    "datadog": {"components": [{"id": "a", "name": "API", "status": "operational"}]},
    "sorry": {"notices": []},
}
"""What each adapter would take for OPERATIONAL; a feed is not JSON."""
LARGE = ("endless", "larger than its limit", "of a million values", "deep")
RSS = "<rss><channel><item><title>Resolved</title></item></channel></rss>"


def every_value(data: Any, wrong: Any) -> Any:
    """Return *data* with *wrong* in place of each of its texts and lists."""
    if isinstance(data, dict):
        return {name: every_value(value, wrong) for name, value in data.items()}
    return wrong


def rows_of(adapter: str) -> list[Misdeed]:
    """Return what is the same attack on every adapter: huge, deep, cut, of wrong types."""
    green = RSS.encode() if adapter == "feed" else json.dumps(GREEN[adapter]).encode()
    attacks: dict[str, Behaviour] = {
        "endless": endless(b" " * 65536, head_of(200) + green),
        "larger than its limit": later(lambda: answer(body=green + b" " * 5 * MIB)),
        "deep": answer(body=b"[" * 90_000),
        "of the wrong encoding": coded("gzip", green),
        "cut": raw(sized(len(green) + 9, green)),
        "with an error in its status": answer(500, green),
        "behind a redirect": placed(redirect, f"<green>/{adapter}"),
        "of nothing": answer(body=b""),
    }
    if adapter != "feed":
        attacks |= {
            "of numbers": answer(body=every_value(GREEN[adapter], 7)),
            "of null": answer(body=b"null"),
            "of NaN": answer(body=b"NaN"),
            "of lists of lists": answer(body=every_value(GREEN[adapter], [[MARK]])),
            "of a million values": later(lambda: answer(body=b"[" + b"0," * MIB + b"0]")),
        }
    return [
        page(name, adapter, play, memory=32.0 if name in LARGE else USUAL_MEMORY)
        for name, play in attacks.items()
    ]


LAUGHS = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 9 if n else MARK}">' for n in range(9))
FEEDS = {
    "entities that grow": f"<!DOCTYPE r [{LAUGHS}]><rss><channel>&e8;</channel></rss>",
    "an entity from a file": '<!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/hostname">]>'
    "<rss><channel><item><title>&e;</title></item></channel></rss>",
    "100,000 elements": "<rss><channel>" + "<item/>" * 100_000 + "</channel></rss>",
    "nested 100,000 deep": "<rss>" + "<a>" * 100_000,
    "60,000 attributes": "<rss " + " ".join(f"a{n}=''" for n in range(60_000)) + "/>",
    "a text of 3 MB": f"<rss><channel><item><description>{'x ' * 1_500_000}"
    "</description></item></channel></rss>",
    "a charset that is none": f'<?xml version="1.0" encoding="{MARK}"?>{RSS}',
    "not well-formed": RSS[:-9],
}
ELSEWHERE = f'<!DOCTYPE rss SYSTEM "http://127.0.0.1:1/{MARK}">{RSS}'
"""What is there is not asked for, and not needed."""
ROWS: tuple[Misdeed, ...] = (
    *(row for adapter in sorted(ADAPTERS) for row in rows_of(adapter)),
    *(page(name, "feed", answer(body=body)) for name, body in FEEDS.items()),
    page("a document type elsewhere", "feed", answer(body=ELSEWHERE), state=State.OPERATIONAL),
    page("a gzip bomb", "statuspage", later(lambda: gzip_bomb(64))),
    page("a brotli bomb", "feed", coded("br", BROTLI)),
)
