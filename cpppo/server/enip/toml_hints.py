"""What to write instead, where text is not TOML.

Owns: the mistakes that people make who write TOML for the first time.  Rule: a hint is a guess, and never instead of
what the parser says.  Must not know what the keys mean.
"""

from __future__ import annotations

import re

__all__ = ["hint"]

#: A word, eg. a type, perhaps in quotes of the sort that word processors make.
_WORD = re.compile(r"[A-Za-z_\u2018-\u201f][\w.\u2018-\u201f]*(\[[^\]\n]*\])?")
_TYPOGRAPHIC = dict.fromkeys(range(0x2018, 0x2020))

_INLINE = "a table in { } is in one line, without a comma before the }; or write [its.name] and its keys below it"
_HEAD = "the head of a table is eg. [tags]"
_QUOTES = "a text ends with the quotes it began with"
#: What the parser says, a pattern of the line from there on, and the hint.
_HINTS: tuple[tuple[str, str, str], ...] = (
    ("Invalid value", r"(?i)(true|false)\b", "true and false are written in small letters"),
    ("Invalid value", r"\s*(#|$)", "a value is missing"),
    ("Invalid value", r"[+-]?\.\d", "a number begins with a digit, eg. 0.5"),
    ("Expected newline", r"\.", "a number ends with a digit, eg. 5.0"),
    ("Expected newline", r"\d", "a number does not begin with 0; one in hexadecimal is eg. 0x1F"),
    ("Expected newline", r"", "a line is key = value, one only"),
    ("Expected '='", r"", "a line is key = value"),
    ("Illegal character '\\n'", r"", f"{_QUOTES}, in the same line"),
    ('Expected "\'"', r"", f"{_QUOTES}, in the same line"),
    ("Expected \"'''\"", r"", _QUOTES),
    ("Unterminated string", r"", _QUOTES),
    ("Unescaped '\\'", r"", "write \\\\ for a backslash, or put the text in single quotes"),
    ("Unclosed array", r"", "a list ends with ], and has commas between its values"),
    ("Unclosed inline table", r"", "a table in { } has commas between its keys, and ends in the same line"),
    ("Expected ']'", r"", _HEAD),
    ("Cannot ", r"", "that key has another value already"),
)


def hint(problem: str, line: str, rest: str) -> str:
    """What to do about a problem in a line, of which ``rest`` begins with it; empty if that is not known."""
    if problem.startswith("Invalid initial character for a key"):
        return f"; {_HEAD}" if line.lstrip().startswith("[") else f"; {_INLINE}" if "{" in line else ""
    for said, pattern, told in _HINTS:
        if problem.startswith(said) and re.match(pattern, rest):
            return f"; {told}"
    word = _WORD.match(rest)
    if problem == "Invalid value" and word:
        return f'; text stands in quotes, as "{word[0].translate(_TYPOGRAPHIC)}"'
    return ""
