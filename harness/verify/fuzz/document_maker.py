"""Makes texts of CloudTrail files from the grammar of RFC 8259, and some that break it."""

from __future__ import annotations

from random import Random

_MOST_NESTED = 4
_SPACES = ("", "", "", " ", "\n", "\r\n", "\t", " \t\r\n ", "\r", "  ")
_NUMBERS = (
    *("0", "-0", "1", "-1", "0.0", "-0.0", "1.0", "1.50", "1e5", "1E+5", "1e-05", "0e0", "-0e-0"),
    *("9007199254740993", "18446744073709551616", "1e400", "-1E-400", "243.0", "1.688560107857E9"),
)
# faults that some JSON parsers accept
_NO_VALUES = (
    *("NaN", "Infinity", "-Infinity", "nan", "True", "None", "undefined", "nul", "nulll", ""),
    *("01", "-01", "-", "+1", ".5", "1.", "-.5", "1e", "1.e5", "1e+", "0x1F", "1_0", "1 2", "--1"),
    *(
        "'a'",
        r'"\x41"',
        r'"\u00g0"',
        r'"\u12"',
        r'"\a"',
        '"\t"',
        '"\n"',
        '"\x00"',
        '"\x1f"',
        '"a" "b"',
    ),
    *(
        "[1,]",
        "[,1]",
        "[1 2]",
        '{"a":1,}',
        '{"a"}',
        '{"a":}',
        "{a:1}",
        "{1:1}",
        "[}",
        "/**/1",
        "1//",
    ),
)
_LITERALS = ("true", "false", "null")
_NAMES = ("eventID", "a", "a", "", "records", "Records", "Ünder", "requestParameters")
_NEARLY = (
    "records",
    "RECORDS",
    "Records ",
    "Record",
    r"Records\u0000",
    "Rec\u043erds",
    r"\\u0052ecords",
)
_PIECES = (
    *(
        "abc",
        " ",
        "'",
        "/",
        "0",
        "null",
        "\x7f",
        "\x85",
        "\xa0",
        "ü",
        "\u2028",
        "\ufeff",
        "𝄞",
        "\uffff",
    ),
    *("{", "}", "[", "]", ",", ":", "]}", "//", "/*", "NaN", "Records", '\\"Records\\":[{'),
    *(r"\"", r"\\", r"\/", r"\b", r"\f", r"\n", r"\r", r"\t", r"\\\"", r"\\\\"),
    *(r"\u0000", r"\u000a", r"\u0022", r"\u005C", r"\u2028", r"\uFEFF", r"\u00e9", r"\uffFF"),
    *(r"\ud834\udd1e", r"\ud800", r"\uDC00", r"\udfff\ud800", r"\ud800\u0041", r"\ud83d\n"),
)


class Documents:
    """Makes texts. Most are readable, the others break R6, R7 or R8."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._spaces: tuple[str, ...] = ("",)

    def document(self) -> str:
        """A JSON object, in most cases with exactly one member named Records."""
        rng = self._rng
        self._spaces = rng.choice((("",), (" ",), ("\n  ",), _SPACES, _SPACES))
        members = [self._member(self._other_name(), 1) for _ in range(rng.choice((0, 0, 0, 1, 3)))]
        for _ in range(rng.choices((1, 0, 2), (30, 1, 1))[0]):
            members.insert(rng.randint(0, len(members)), self._records())
        return self._space() + self._enclosed("{", members, "}") + self._space()

    def _records(self) -> str:
        rng = self._rng
        if rng.random() < 0.04:
            return self._named("Records", self._value(1))
        count = rng.choices((0, 1, 2, 5, 40), (10, 40, 30, 15, 1))[0]
        records = [self._object(2) for _ in range(count)]
        if rng.random() < 0.04:
            records.insert(rng.randint(0, count), self._value(2))
        name = "Records" if rng.random() < 0.8 else self._spelled("Records")
        return self._named(name, self._enclosed("[", records, "]"))

    def _other_name(self) -> str:
        if self._rng.random() < 0.3:
            return self._rng.choice(_NEARLY)
        return self._rng.choice(("a", "b", "", "eventVersion", "Digest"))

    def _spelled(self, name: str) -> str:
        """The name with some of its letters as escapes."""
        rng = self._rng
        return "".join(
            rng.choice((f"\\u{ord(letter):04x}", f"\\u{ord(letter):04X}"))
            if rng.random() < 0.3
            else letter
            for letter in name
        )

    def _member(self, name: str, level: int) -> str:
        return self._named(name, self._value(level))

    def _named(self, name: str, value: str) -> str:
        return f'"{name}"{self._space()}:{self._space()}{value}'

    def _value(self, level: int) -> str:
        """A value in an array or object at depth ``level``."""
        rng = self._rng
        kind = rng.random()
        if kind < 0.008:
            return self._deep(rng.randint(497, 503) - level)
        if kind < 0.02:
            return rng.choice(_NO_VALUES)
        if level < _MOST_NESTED and kind < 0.15:
            return self._object(level)
        if level < _MOST_NESTED and kind < 0.25:
            values = [self._value(level + 1) for _ in range(rng.choice((0, 1, 2, 4)))]
            return self._enclosed("[", values, "]")
        if kind < 0.6:
            return self._string()
        return self._number() if kind < 0.9 else rng.choice(_LITERALS)

    def _object(self, level: int) -> str:
        rng = self._rng
        count = rng.choice((0, 1, 1, 2, 3))
        return self._enclosed(
            "{", [self._member(self._name(), level + 1) for _ in range(count)], "}"
        )

    def _name(self) -> str:
        if self._rng.random() < 0.8:
            return self._rng.choice(_NAMES)  # a short list: names come twice
        return self._string()[1:-1]

    def _deep(self, levels: int) -> str:
        """Nested arrays and objects of exactly so many levels."""
        arrays = self._rng.choice((0.0, 0.5, 1.0))
        opened = ["[" if self._rng.random() < arrays else '{"":' for _ in range(levels - 1)]
        closed = ["]" if each == "[" else "}" for each in reversed(opened)]
        return "".join([*opened, self._rng.choice(("[]", "{}", '["[{"]', "[0]")), *closed])

    def _number(self) -> str:
        rng = self._rng
        if rng.random() < 0.7:
            return rng.choice(_NUMBERS)
        sign = rng.choice(("", "-"))
        whole = rng.choice(("0", str(rng.randrange(1, 10 ** rng.choice((1, 9, 25))))))
        if rng.random() < 0.03:
            whole = "7" * rng.choice((400, 5000))
        fraction = rng.choice(("", "", f".{rng.randrange(1000)}", ".0" * 1))
        exponent = rng.choice(("", "", f"{rng.choice('eE')}{rng.choice(('', '+', '-'))}01"))
        return sign + whole + fraction + exponent

    def _string(self) -> str:
        rng = self._rng
        return f'"{"".join(rng.choice(_PIECES) for _ in range(rng.choice((0, 1, 1, 2, 5))))}"'

    def _enclosed(self, opening: str, parts: list[str], closing: str) -> str:
        spaced = [f"{self._space()}{part}{self._space()}" for part in parts]
        return opening + (",".join(spaced) or self._space()) + closing

    def _space(self) -> str:
        return self._rng.choice(self._spaces)
