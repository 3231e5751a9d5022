"""The ways in which a secret could be written somewhere: what a sweep for it has to look for."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote


def forms_of(secret: str) -> dict[str, bytes]:
    """Return the ways in which a secret could be written somewhere."""
    raw = secret.encode()
    forms = {
        "raw": raw,
        "percent": quote(secret, safe="").encode(),
        "hex": raw.hex().encode(),
        "reversed": raw[::-1],
        "json": json.dumps(secret)[1:-1].encode(),
        "utf-16": secret.encode("utf-16-le"),
        "tail": raw[-8:],
        "head": raw[:11],
    }
    for shift in range(3):
        # base64 of the secret at any alignment, without the bytes that neighbours change
        text = base64.b64encode(b"x" * shift + raw)[4:-4]
        forms[f"base64+{shift}"] = text
        forms[f"base64url+{shift}"] = text.replace(b"+", b"-").replace(b"/", b"_")
    return forms
