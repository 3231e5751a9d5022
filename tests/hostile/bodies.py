"""Bodies that are wrong: bombs, broken encodings, JSON that is meant to hurt."""

from __future__ import annotations

import functools
import gzip
import zlib
from collections.abc import Callable
from typing import Any

from exporter.model import Reason, Verdict
from tests.hostile.table import MARK, Misdeed, fails, harmless, later
from tests.mischief import endless, gzip_bomb, raw
from tests.vendor import Behaviour, answer, head_of

R = Reason

MIB = 1 << 20
BROTLI = bytes.fromhex(  # 32 MiB of zeros, made with Google's brotli 1.2
    "cbffff3ff82700e2b14020f7fe8fffff7ff04f00c4611180eefd1fffffffe09f0088c30200ddfb3ffeffffc13f0"
    "110870500baf77f03"
)


def coded(encoding: str, body: bytes) -> Behaviour:
    """Return an answer whose *body* is declared as in *encoding*."""
    pairs = [("Content-Encoding", encoding), ("Content-Length", str(len(body)))]
    return raw(head_of(200, pairs) + body)


@functools.cache
def zstd_zeros(mebibytes: int) -> bytes:
    """Return a Zstandard frame (RFC 8878) of so many blocks that repeat a zero."""
    block = ((128 * 1024) << 3 | 1 << 1).to_bytes(3, "little") + b"\0"
    last = (1 << 3 | 1 << 1 | 1).to_bytes(3, "little") + b"\0"
    return b"\x28\xb5\x2f\xfd\0\x38" + block * (8 * mebibytes) + last


def raw_deflate(data: bytes) -> bytes:
    """Return *data* as some servers send `deflate`: without the frame of zlib."""
    packer = zlib.compressobj(9, wbits=-15)
    return packer.compress(data) + packer.flush()


def packed_zeros() -> bytes:
    """Return a piece of a deflate stream that can be repeated: a mebibyte of zeros."""
    packer = zlib.compressobj(9, wbits=-15)
    return packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)


GZIP = {"Content-Encoding": "gzip"}
GZIP_HEAD = b"\x1f\x8b\x08\0\0\0\0\0\0\3"
PACKED = gzip.compress(b"a" * 9999)
FEW = {"memory": 5.0}
BOMBS = (
    harmless("gzip bomb", later(lambda: gzip_bomb(64)), **FEW),
    harmless("gzip bomb in gzip", later(lambda: gzip_bomb(64, layers=2)), **FEW),
    harmless("gzip bomb in gzip in gzip", later(lambda: gzip_bomb(64, layers=3)), **FEW),
    harmless(
        "deflate bomb", later(lambda: coded("deflate", zlib.compress(bytes(64 * MIB), 9))), **FEW
    ),
    harmless(
        "deflate bomb without its frame",
        later(lambda: coded("deflate", raw_deflate(bytes(64 * MIB)))),
        **FEW,
    ),
    harmless("brotli bomb", coded("br", BROTLI), memory=8.0),
    harmless("brotli bomb in gzip", coded("br, gzip", gzip.compress(BROTLI)), memory=8.0),
    fails(
        "zstd bomb, which nobody offered to read", R.PROTOCOL, coded("zstd", zstd_zeros(64)), **FEW
    ),
    harmless(
        "gzip without end",
        later(lambda: endless(packed_zeros(), head_of(200, GZIP) + GZIP_HEAD)),
        **FEW,
    ),
    fails("ten encodings", R.PROTOCOL, coded(", ".join(["gzip"] * 10), b"x")),
    fails("a thousand encodings", R.PROTOCOL, coded(", ".join(["gzip"] * 1000), b"x")),
    harmless("an encoding that nobody knows", coded(MARK, b"body")),
    fails("gzip that is none", R.PROTOCOL, coded("gzip", b"plain " + MARK.encode())),
    fails("gzip with a broken middle", R.PROTOCOL, coded("gzip", PACKED[:20] + b"\xff" * 99)),
    fails("deflate that is none", R.PROTOCOL, coded("deflate", b"\xff" * 99)),
    fails("brotli that is none", R.PROTOCOL, coded("br", b"\xff" * 99)),
    fails("brotli inside gzip that is none", R.PROTOCOL, coded("br, gzip", b"\xff" * 99)),
)


Text = bytes | str


def asked(
    name: str, body: Text | Callable[[], Text], assertion: dict[str, Any], reason: R = R.OK
) -> Misdeed:
    """Return a row of an answer of which *assertion* holds, or else fails with *reason*."""
    check = {"assertions": [assertion], "body_limit": 8 * MIB}
    headers = {"Content-Type": "application/json"}
    play = later(lambda: answer(body=body() if callable(body) else body, headers=headers))
    if reason is R.OK:
        return harmless(f"JSON: {name}", play, check=check, memory=24.0, lag=0.15)
    return fails(f"JSON: {name}", reason, play, check=check, memory=24.0, lag=0.15)


DEEP, THERE = 100_000, {"json": "$.a", "exists": True}
EVERY = {"json": "$..a", "exists": True}
B = R.BAD_BODY
JSON = (
    asked("nested 100,000 deep", lambda: "[" * DEEP + "]" * DEEP, EVERY, B),
    asked("objects nested 90,000 deep", lambda: '{"a":' * 90_000 + "1" + "}" * 90_000, EVERY, B),
    asked("nesting that never closes", lambda: "[" * 1_000_000, EVERY, B),
    asked("a million values", lambda: '{"a":[' + "0," * MIB + "0]}", THERE, B),
    asked("a million empty lists", lambda: "[" + "[]," * MIB + "0]", EVERY, B),
    asked(
        "90,000 members", lambda: "{" + ",".join(f'"{n}":0' for n in range(90_000)) + "}", THERE, B
    ),
    asked("integer of a million digits", lambda: '{"a":' + "9" * MIB + "}", THERE, B),
    asked("integer of 60,000 digits", '{"a":' + "9" * 60_000 + "}", THERE),
    asked("integers of 4,000 digits", lambda: "[" + ",".join(["9" * 4000] * 999) + "]", THERE, B),
    asked("exponent of a million digits", lambda: '{"a":1e' + "9" * MIB + "}", THERE),
    asked("fraction of a million digits", lambda: '{"a":0.' + "9" * MIB + "}", THERE),
    asked("the same name 50,000 times", lambda: "{" + '"a":1,' * 50_000 + '"a":2}', THERE),
    asked("NaN", '{"a":NaN}', THERE, B),
    asked("Infinity", '{"a":-Infinity}', THERE, B),
    asked("UTF-8 with a byte order mark", b'\xef\xbb\xbf{"a":1}', THERE),
    asked("UTF-16", '{"a":1}'.encode("utf-16"), THERE),
    asked("UTF-32", '{"a":1}'.encode("utf-32"), THERE),
    asked("no valid UTF-8", b'{"a":"\xff\xfe"}', THERE, B),
    asked("lone surrogates", lambda: '{"a":"' + "\\ud800" * 50_000 + '"}', THERE),
    asked("a text of 4 MiB", lambda: '{"a":"' + "x" * 4 * MIB + '"}', THERE),
    asked("a text of escapes", lambda: '{"a":"' + "\\u0041" * 300_000 + '"}', THERE),
    asked("NULs", lambda: b"\0" * MIB, THERE, B),
    asked(
        "text that makes a backtracking pattern slow",
        lambda: "a" * 4 * MIB + "!",
        {"body": True, "matches": "^(a+)+$"},
        B,
    ),
    asked(
        "a path that counts everything for everything",
        lambda: "[" + ",".join(['{"a":1}'] * 9000) + "]",
        {"json": "$[?count($..*) == @.a]", "exists": True},
        B,
    ),
)
PAGES = (
    fails("an error page that is all HTML", R.SERVER_ERROR, answer(500, b"<" * 60_000)),
    fails(
        "error JSON nested in errors",
        R.SERVER_ERROR,
        answer(500, '{"error":' * 9000 + "1" + "}" * 9000),
    ),
    fails(
        "an error in words that look like all others",
        R.SERVER_ERROR,
        answer(500, {"error": {"message": f"{MARK} " + "quota key limit expired " * 2000}}),
    ),
    fails(
        "a block page of our own proxy, in the provider's name",
        R.INTERCEPTED,
        answer(
            403,
            f"<html><title>Internet Security by Zscaler {MARK}</title>",
            {"Content-Type": "text/html"},
        ),
        verdict=Verdict.NETWORK,
    ),
)
ROWS: tuple[Misdeed, ...] = (*BOMBS, *JSON, *PAGES)
