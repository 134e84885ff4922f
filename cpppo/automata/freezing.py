"""Freezing: a graph of states becomes one of nodes, all or nothing.

Owns the walk over states and what stands for each target.  Rule: nothing that is hopeless is ever
frozen (see check).  Must not know how states are declared beyond `_children`, `_node_kind` and
`_fill`, nor how nodes are run.
"""

from __future__ import annotations

from typing import Any

from cpppo.automata.check import hopeless, reached, surprise
from cpppo.automata.node import ASK, CHOOSING, DECIDING, STOP, Node
from cpppo.automata.targets import decide, decides

__all__ = ["freeze", "target"]


def freeze(first: Any) -> Node:
    """The node of the state ``first``, after freezing all states that can be reached from it.

    Several threads may do so at once: whole nodes only are shown, and any two of one state give the
    same answers.

    :raises GrammarError: for what can never work; then nothing is frozen.
    """
    nodes: dict[Any, Node] = {}
    fresh: list[Any] = []
    waiting = [first]
    while waiting:
        each = waiting.pop()
        if each in nodes:
            continue
        if each._node is not None:
            nodes[each] = each._node
            continue
        nodes[each] = Node(each, each._node_kind())
        fresh.append(each)
        waiting.extend(each._children())
    for each in fresh:
        each._fill(nodes[each], nodes)
    hopeless(nodes[first], [nodes[each] for each in fresh])
    for each in fresh:
        node = nodes[each]
        if node.repeat is not None:
            node.alike = all(surprise(inner) is None for inner in reached(node.initial))
    for each in fresh:
        each._node = nodes[each]
    return nodes[first]


def target(given: Any, nodes: dict[Any, Node]) -> Node:
    """The node of what was assigned to one key."""
    if given is None:
        return STOP
    if isinstance(given, tuple):
        node = Node(None, DECIDING)
        for each in given:
            if not decides(each):
                node.options += ((None, target(each, nodes)),)
                break
            if type(each).__call__ is not decide.__call__:  # it tells the state itself
                node.options += ((each, ASK),)
                node.targets += (nodes[each.state],) if each.state in nodes else ()
                continue
            node.options += ((each.predicate, target(each.state, nodes)),)
            if each.predicate is None:
                break
        return node
    if hasattr(given, "choose"):
        node = Node(None, CHOOSING)
        node.choose = given.choose
        node.targets = tuple(nodes[each] for each in getattr(given, "targets", ()))
        return node
    return nodes[given]
