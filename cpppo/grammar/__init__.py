"""Grammar: a message declared once; stepped, compiled and produced from that declaration."""

from cpppo.grammar.artifacts import mapped, memo
from cpppo.grammar.code import Reject
from cpppo.grammar.delimiters import until
from cpppo.grammar.explain import Disagreement
from cpppo.grammar.expr import attr, field
from cpppo.grammar.message import Message, Struct, framer, prefix, values
from cpppo.grammar.node import Node
from cpppo.grammar.nodes import Scalar, const, drop, octets, payload, text
from cpppo.grammar.parse import REJECTS
from cpppo.grammar.produce import UNPRODUCIBLE
from cpppo.grammar.records import Record, copier
from cpppo.grammar.repeats import offsets, rest, vector
from cpppo.grammar.shapes import Malformed, guarded, nothing, peek, switch

__all__ = [
    "REJECTS",
    "UNPRODUCIBLE",
    "Disagreement",
    "Malformed",
    "Message",
    "Node",
    "Record",
    "Reject",
    "Scalar",
    "Struct",
    "attr",
    "const",
    "copier",
    "drop",
    "field",
    "framer",
    "guarded",
    "mapped",
    "memo",
    "nothing",
    "octets",
    "offsets",
    "payload",
    "peek",
    "prefix",
    "rest",
    "switch",
    "text",
    "until",
    "values",
    "vector",
]
