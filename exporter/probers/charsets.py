"""The text of a body, in the charset that its Content-Type declares, or else its own first lines.

A label counts if the WHATWG Encoding Standard knows it; only such labels reach Python's codecs,
which keep every name they are asked for and have some that are no charsets (zlib, punycode).
"""

from __future__ import annotations

import codecs
import functools
import re

import re2

_DECLARED = re.compile(r"""(?i);\s*charset\s*=\s*["']?([^\s"';,]{1,64})""")
# HTML standard, 13.2.3.2 (the first 1,024 bytes); XML 1.0, appendix F. By default both are UTF-8.
_PRESCANNED = 1024
_INSIDE = re2.compile(  # linear: of spaces and tags that never end, `re` would hold the loop
    r"""(?is)^\s{0,32}<\?xml\s[^>]{0,100}?\bencoding\s*=\s*["']([\w.:-]{1,64})"""
    r"""|<meta\s[^>]{0,200}?\bcharset\s*=\s*["']?\s*([\w.:-]{1,64})"""
)
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
)
# Labels without punctuation, in lower case. Latin-1 and ASCII are read as the larger windows-1252.
_LABELS = {
    "utf-8": "utf8 unicode11utf8",
    "utf-16-le": "utf16 utf16le unicode ucs2 csunicode",
    "utf-16-be": "utf16be",
    "cp1252": "iso88591 iso885911987 latin1 l1 isoir100 cp819 ibm819 csisolatin1 usascii ascii "
    "ansix341968 windows1252 cp1252 xcp1252",
    "iso8859-2": "latin2 l2 csisolatin2 iso885921987",
    "iso8859-3": "latin3 l3 csisolatin3 iso885931988",
    "iso8859-4": "latin4 l4 csisolatin4 iso885941988",
    "iso8859-5": "cyrillic csisolatincyrillic iso885951988",
    "iso8859-6": "arabic csisolatinarabic iso885961987 ecma114 asmo708",
    "iso8859-7": "greek greek8 csisolatingreek iso885971987 elot928 ecma118 suneugreek",
    "iso8859-8": "hebrew csisolatinhebrew iso885981988 visual iso88598i logical iso88598e",
    "cp1254": "iso88599 latin5 l5 csisolatin5 iso885991989 windows1254 cp1254 xcp1254",
    "iso8859-10": "latin6 l6 csisolatin6",
    "cp874": "iso885911 tis620 windows874 dos874",
    "iso8859-15": "latin9 l9 csisolatin9",
    "koi8-r": "koi koi8 koi8r cskoi8r",
    "koi8-u": "koi8u koi8ru",
    "cp866": "cp866 866 ibm866 csibm866",
    "mac-roman": "macintosh mac csmacintosh xmacroman",
    "gb18030": "gb18030 gbk xgbk gb2312 gb231280 gb2312801980 chinese csgb2312 isoir58 cp936",
    "big5hkscs": "big5 big5hkscs cnbig5 csbig5 xxbig5",
    "euc_jp": "eucjp xeucjp cseucpkdfmtjapanese",
    "iso2022_jp": "iso2022jp csiso2022jp",
    "cp932": "shiftjis sjis xsjis mskanji csshiftjis ms932 windows31j",
    "cp949": "euckr ksc56011987 ksc5601 ksc56011989 korean cseuckr windows949",
}
_CODECS = {label: codec for codec, labels in _LABELS.items() for label in labels.split()}
_CODECS |= {f"iso8859{n}": f"iso8859-{n}" for n in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)}
for _number in (1250, 1251, 1253, 1255, 1256, 1257, 1258):
    _CODECS |= dict.fromkeys((f"windows{_number}", f"cp{_number}", f"xcp{_number}"), f"cp{_number}")


def codec_of(content_type: str) -> str:
    """Return Python's name of the charset in *content_type*; `utf-8` if none is known.

    >>> codec_of('text/plain; Charset="ISO-8859-15"'), codec_of("text/plain; charset=klingon")
    ('iso8859-15', 'utf-8')
    """
    return _codec_of(content_type[:256])


@functools.lru_cache(maxsize=256)
def _codec_of(content_type: str) -> str:
    match = _DECLARED.search(content_type)
    label = re.sub(r"[^a-z0-9]", "", match.group(1).lower()) if match else ""
    return _CODECS.get(label, "utf-8")


def text_of(body: bytes, content_type: str) -> str:
    """Return *body* as text; bytes that do not fit its charset become U+FFFD.

    A byte order mark has precedence over what *content_type* declares, and is left out.
    """
    for mark, codec in _MARKS:
        if body.startswith(mark):
            return body[len(mark) :].decode(codec, "replace")
    codec = codec_of(content_type)
    if not _DECLARED.search(content_type[:256]) and re.search(r"(?i)html|xml", content_type[:256]):
        codec = _codec_inside(body[:_PRESCANNED])
    return body.decode(codec, "replace")


def _codec_inside(beginning: bytes) -> str:
    match = _INSIDE.search(beginning.decode("latin-1"))
    label = match.group(1) or match.group(2) if match else ""
    codec = codec_of(f"; charset={label}")
    # what could be read as far as its own declaration is not UTF-16
    return "utf-8" if codec.startswith("utf-16") else codec
