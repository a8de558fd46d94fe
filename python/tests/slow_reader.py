"""What SPEC R3 to R8 and C1 say of a body, read slowly by the standard library: an oracle."""

import json
import re
import zlib
from collections.abc import Iterator

_SPACE = re.compile(r"[ \t\r\n]*")
_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_int=str, parse_float=str)


def lines_of(text: bytes) -> bytes | str:
    """The records' lines, or the code of what is wrong."""
    try:
        whole = text.decode()
        if too_deep(whole):
            return "BAD_JSON"
        members = list(_members(whole))
    except (ValueError, IndexError):
        return "BAD_JSON"
    found = [value for name, value in members if name == "Records"]
    if len(found) != 1 or not found[0].startswith("["):
        return "NO_RECORDS"
    elements = list(_elements(found[0]))
    if not all(element.startswith("{") for element in elements):
        return "NO_RECORDS"
    lines = "".join(re.sub("[\r\n]", "", element) + "\n" for element in elements)
    return lines.encode()


def too_deep(text: str) -> bool:
    depth = most = 0
    for bracket in re.findall(r"[\[\]{}]", _STRINGS.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        most = max(most, depth)
    return most > 500


def _members(text: str) -> Iterator[tuple[str, str]]:
    """Name and value's text of each member; raises ``ValueError`` unless all of it is an object."""
    at = _after(text, 0, "{")
    while text[at] != "}":
        name, at = _DECODER.raw_decode(text, at)
        if not isinstance(name, str) or text[at - 1] != '"':
            raise ValueError("a name is a string")
        start = _after(text, at, ":")
        _, at = _DECODER.raw_decode(text, start)
        yield name, text[start:at]
        at = _next(text, at, "}")
    if _SPACE.fullmatch(text, at + 1) is None:
        raise ValueError("something follows")


def _elements(text: str) -> Iterator[str]:
    at = _after(text, 0, "[")
    while text[at] != "]":
        start = at
        _, at = _DECODER.raw_decode(text, start)
        yield text[start:at]
        at = _next(text, at, "]")


def _after(text: str, at: int, mark: str) -> int:
    """Where the token after ``mark`` begins."""
    at = _skip(text, at)
    if text[at] != mark:
        raise ValueError(f"{mark} expected")
    return _skip(text, at + 1)


def _next(text: str, at: int, end: str) -> int:
    """Where the next element begins, or the end is."""
    at = _skip(text, at)
    if text[at] == end:
        return at
    at = _after(text, at, ",")
    if text[at] == end:
        raise ValueError("a comma before the end")
    return at


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def inflated(body: bytes) -> bytes | None:
    """The text of a body, ``None`` if its gzip is damaged anywhere."""
    if not body.startswith(b"\x1f\x8b"):
        return body
    text = b""
    while body:
        member = zlib.decompressobj(31)
        try:
            text += member.decompress(body)
        except zlib.error:
            return None
        if not member.eof:
            return None
        body = member.unused_data
    return text
