"""The rules of the architecture as functions of source text: which module may import, name or do what.

Each checker takes a `Module` (or all of them) and yields one line for each offence. What is allowed is data, in
the tables below; a module of no layer is itself an offence. Nothing here imports the package: it reads syntax trees.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

#: The layer of each module, by name pattern; the first that matches counts, so exceptions come first.
LAYERS: tuple[tuple[str, str], ...] = (
    ("cpppo", "door"),
    ("cpppo.server", "door"),
    ("cpppo.server.enip", "door"),
    ("cpppo.errors", "base"),
    ("cpppo.dotdict", "base"),
    ("cpppo.indexing", "base"),
    ("cpppo.timing", "base"),
    ("cpppo.logs", "base"),
    ("cpppo.logfile", "base"),
    ("cpppo.misc", "base"),
    ("cpppo.version", "base"),
    ("cpppo.automata.picture", "graphviz"),
    ("cpppo.automata.__main__", "cli"),
    ("cpppo.automata*", "automata"),
    ("cpppo.grammar*", "grammar"),
    ("cpppo.history.__main__", "cli"),
    ("cpppo.history*", "history"),
    ("cpppo.remote.bridge*", "cli"),
    ("cpppo.remote.modbus_poll*", "cli"),
    ("cpppo.remote.modbus_sim*", "cli"),
    ("cpppo.remote*", "remote"),
    ("cpppo.server.tcp", "tcp"),
    ("cpppo.server.udp", "tcp"),
    ("cpppo.server.delay", "tcp"),
    ("cpppo.server.tnetstrings", "base"),
    ("cpppo.server.sentences", "session"),
    ("cpppo.server.command", "cli"),
    ("cpppo.server.ending", "cli"),
    ("cpppo.server.profiling", "cli"),
    ("cpppo.server.echo", "cli"),
    ("cpppo.server.tnet", "cli"),
    ("cpppo.server.enip.wire*", "wire"),
    ("cpppo.server.enip.device*", "device"),
    ("cpppo.server.enip.session", "session"),
    ("cpppo.server.enip.listing", "session"),
    ("cpppo.server.enip.client.exchange", "exchange"),
    ("cpppo.server.enip.client.envelopes", "exchange"),
    ("cpppo.server.enip.client.pending", "exchange"),
    ("cpppo.server.enip.client.connected", "exchange"),
    ("cpppo.server.enip.client.grouping", "exchange"),
    ("cpppo.server.enip.client.learned", "exchange"),
    ("cpppo.server.enip.client.parts", "exchange"),
    ("cpppo.server.enip.client.reading", "exchange"),
    ("cpppo.server.enip.client.transfers", "exchange"),
    ("cpppo.server.enip.client.operations", "exchange"),
    ("cpppo.server.enip.client.requests", "exchange"),
    ("cpppo.server.enip.client.identities", "exchange"),
    ("cpppo.server.enip.client.compat", "exchange"),
    ("cpppo.server.enip.client.report", "exchange"),
    ("cpppo.server.enip.client.catalog", "exchange"),
    ("cpppo.server.enip.client.places", "exchange"),
    ("cpppo.server.enip.client.planner", "exchange"),
    ("cpppo.server.enip.client.memo", "exchange"),
    ("cpppo.server.enip.client.shapes", "exchange"),
    ("cpppo.server.enip.client.rehearsed", "exchange"),
    ("cpppo.server.enip.client.flows", "exchange"),
    ("cpppo.server.enip.client.healing", "exchange"),
    ("cpppo.server.enip.client.logix", "front"),
    ("cpppo.server.enip.serve", "front"),
    ("cpppo.server.enip.control", "front"),
    ("cpppo.server.enip.counted", "front"),
    *((f"cpppo.server.enip.web.{name}", "api") for name in "api groups guard pages rates running values".split()),
    ("cpppo.server.enip.website", "cli"),
    ("cpppo.server.enip.web*", "front"),
    ("cpppo.server.enip.client", "front"),
    ("cpppo.server.enip.client.connector", "front"),
    ("cpppo.server.enip.client.cache", "front"),
    ("cpppo.server.enip.client.link", "front"),
    ("cpppo.server.enip.client.discovery", "front"),
    ("cpppo.server.enip.client.aio", "front"),
    ("cpppo.server.enip.client.aiolink", "front"),
    ("cpppo.server.enip.client.*", "cli"),
    ("cpppo.server.enip.__main__", "cli"),
    ("cpppo.server.enip.main", "cli"),
    ("cpppo.server.enip.arguments", "cli"),
    ("cpppo.server.enip.options", "cli"),
    ("cpppo.server.enip.tagging", "cli"),
    ("cpppo.server.enip.plant*", "cli"),
    ("cpppo.server.enip.toml*", "cli"),
    ("cpppo.server.enip.simulator", "cli"),
    ("cpppo.server.enip.pytest_plugin", "cli"),
    ("cpppo.server.enip.get", "cli"),
    ("cpppo.server.enip.getattr", "cli"),
    ("cpppo.server.enip.io", "cli"),
    ("cpppo.server.enip.thruput", "cli"),
    ("cpppo.server.enip.historize", "cli"),
    ("cpppo.server.enip.replay", "cli"),
    ("cpppo.server.enip.weather", "cli"),
)

_WIRE = ("base", "automata", "grammar", "wire")
_FRONT = (*_WIRE, "device", "session", "exchange", "api", "tcp", "front")

#: What each layer may import, itself included: only what is below it. Nobody imports a door from inside.
BELOW: Mapping[str, tuple[str, ...]] = {
    "base": ("base",),
    "graphviz": ("base", "graphviz"),
    "automata": ("base", "graphviz", "automata"),
    "grammar": ("base", "automata", "grammar"),
    "wire": _WIRE,
    "device": (*_WIRE, "device"),
    "session": (*_WIRE, "device", "session"),
    "exchange": (*_WIRE, "exchange"),
    "api": (*_WIRE, "device", "session", "api"),
    "tcp": ("base", "tcp"),
    "front": _FRONT,
    "history": ("base", "history"),
    "remote": ("base", "remote"),
    "cli": (*_FRONT, "graphviz", "history", "remote", "cli", "door"),
    "door": ("base",),
}

#: Layers without input, output, clock or chance: these come as arguments.
PURE = frozenset({"automata", "grammar", "wire", "device", "session", "exchange", "api"})
IMPURE_MODULES = frozenset(
    "socket select selectors asyncio time logging.handlers argparse web pymodbus socketserver ssl subprocess "
    "multiprocessing concurrent random secrets".split()
)
#: A lock is no I/O, but it belongs to three files.
LOCKED_FILES = frozenset(
    {"cpppo.automata.machine", "cpppo.server.enip.device.attribute", "cpppo.server.enip.device.connections"}
)
LOCK_NAMES = frozenset({"Lock", "RLock", "local", "get_ident"})

#: Dependencies with one single importer.
OWNERS: Mapping[str, str] = {
    "greenery": "cpppo.automata.regex",
    "pymodbus": "cpppo.remote.pymodbus_fixes",
    "web": "cpppo.server.enip.web.app",
    "cheroot": "cpppo.server.enip.web.server",
    "prometheus_client": "cpppo.server.enip.web.metrics",
    "pytz": "cpppo.history.zones",
    "tzlocal": "cpppo.history.zones",
    "pyarrow": "cpppo.history.convert",
    "matplotlib": "cpppo.history.plot",
}

#: What not every operating system has: modules, and names in modules.
POSIX_MODULES = frozenset("pty tty fcntl termios resource pwd grp syslog".split())
POSIX_NAMES = {
    "signal": frozenset("SIGHUP SIGUSR1 SIGUSR2 SIGPIPE SIGALRM SIGKILL SIGCHLD SIGQUIT alarm setitimer pause".split()),
    "socket": frozenset("SO_RCVTIMEO SO_SNDTIMEO SO_REUSEPORT AF_UNIX MSG_DONTWAIT MSG_NOSIGNAL".split()),
    "os": frozenset("fork forkpty openpty getuid geteuid setuid setgid setsid getpgid killpg mkfifo WNOHANG".split()),
    "select": frozenset("poll epoll kqueue".split()),
    "time": frozenset({"tzset"}),
}

LINES_REPORTED, LINES_ALLOWED = 400, 500


@dataclass
class Module:
    """One source file: its dotted name, whether it is a package's `__init__`, and its syntax tree with parents."""

    name: str
    source: str
    package: bool = False
    tree: ast.Module = field(init=False)
    parents: dict[ast.AST, ast.AST] = field(init=False)

    def __post_init__(self) -> None:
        self.tree = ast.parse(self.source)
        self.parents = {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}

    @property
    def layer(self) -> str | None:
        return next((layer for pattern, layer in LAYERS if fnmatchcase(self.name, pattern)), None)

    def at(self, node: ast.AST, offence: str) -> str:
        return f"{self.name}:{getattr(node, 'lineno', 1)}: {offence}"

    def above(self, node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
        """(ancestor, the child of it that holds the node), from the inside out."""
        while node in self.parents:
            yield self.parents[node], node
            node = self.parents[node]


def read(package: Path) -> dict[str, Module]:
    """Every module of a package directory, by dotted name."""
    modules = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        modules[name] = Module(name, path.read_text(encoding="utf-8"), is_package)
    return modules


# ------------------------------------------------------------------ imports
def imports(module: Module) -> Iterator[tuple[ast.stmt, str, str | None]]:
    """(statement, absolute module name, imported name or None) of each import, wherever it stands."""
    home = module.name.split(".") if module.package else module.name.split(".")[:-1]
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name, None
        elif isinstance(node, ast.ImportFrom):
            base = home[: len(home) - node.level + 1] if node.level else []
            for alias in node.names:
                yield node, ".".join([*base, *([node.module] if node.module else [])]), alias.name


def bound_names(module: Module) -> set[str]:
    """Names that the module's top-level statements bind."""
    names: set[str] = set()
    for node in module.tree.body:
        if isinstance(node, ast.Import):
            names.update(alias.asname or alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.update(alias.asname or alias.name for alias in node.names)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names.update(n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name))
    return names


def dependencies(module: Module, modules: Mapping[str, Module]) -> Iterator[tuple[ast.stmt, str]]:
    """The modules among `modules` that a module depends on: a package only for a name that it binds itself."""
    for node, target, name in imports(module):
        inner = f"{target}.{name}"
        if inner in modules and (
            target not in modules or target == module.name or name not in bound_names(modules[target])
        ):
            yield node, inner
        elif target in modules:
            yield node, target


def for_typing_only(module: Module, node: ast.AST) -> bool:
    """Whether a statement stands under `if TYPE_CHECKING:`."""
    return any(isinstance(up, ast.If) and "TYPE_CHECKING" in ast.unparse(up.test) for up, _ in module.above(node))


def layer_offences(module: Module, modules: Mapping[str, Module]) -> Iterator[str]:
    """Imports that do not go downwards. A package's `__init__` may import all of its own package."""
    layer = module.layer
    if layer is None:
        yield module.at(module.tree, "belongs to no layer; name it in LAYERS")
        return
    for node, target in dependencies(module, modules):
        own = module.package and target.startswith(f"{module.name}.")
        other = modules[target].layer
        if not own and other is not None and other not in BELOW[layer]:
            yield module.at(node, f"{layer} imports {target}, which is {other}")


def purity_offences(module: Module) -> Iterator[str]:
    """Input, output, time and threads in the layers that have none."""
    if module.layer not in PURE:
        return
    for node, target, name in imports(module):
        full = f"{target}.{name}" if name else target
        prefixes = {full[:end] for end in range(len(full) + 1) if end == len(full) or full[end] == "."}
        if prefixes & IMPURE_MODULES:
            yield module.at(node, f"{module.layer} imports {full}")
        if "threading" in prefixes and module.name not in LOCKED_FILES:
            yield module.at(node, f"{module.layer} imports threading")
        elif target == "threading" and name and name not in LOCK_NAMES:
            yield module.at(node, f"takes {name} from threading; only {', '.join(sorted(LOCK_NAMES))} are no I/O")


def owner_offences(module: Module) -> Iterator[str]:
    """Dependencies imported by another module than the one that owns them."""
    for node, target, _ in imports(module):
        owner = OWNERS.get(target.partition(".")[0], module.name)
        if owner != module.name:
            yield module.at(node, f"imports {target}, which only {owner} may")


def cycles(modules: Mapping[str, Module]) -> list[list[str]]:
    """Import cycles, each as a list of modules; imports inside functions count, those for typing do not."""
    edges = {
        name: {to for node, to in dependencies(module, modules) if to != name and not for_typing_only(module, node)}
        for name, module in modules.items()
    }
    found: list[list[str]] = []
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> None:
        if name in path:
            found.append(path[path.index(name) :])
        elif name not in done:
            for to in sorted(edges[name]):
                visit(to, [*path, name])
            done.add(name)

    for name in sorted(modules):
        visit(name, [])
    return found


# ------------------------------------------------------------------ names and statements
def posix_uses(module: Module) -> Iterator[tuple[ast.AST, str]]:
    """Every use of what only POSIX systems have, guarded or not."""
    for node, target, name in imports(module):
        if target.partition(".")[0] in POSIX_MODULES:
            yield node, target
        elif name in POSIX_NAMES.get(target, ()):
            yield node, f"{target}.{name}"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.attr in POSIX_NAMES.get(node.value.id, ()):
                yield node, f"{node.value.id}.{node.attr}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":
            if len(node.args) == 2 and isinstance(node.args[0], ast.Name) and isinstance(node.args[1], ast.Constant):
                if node.args[1].value in POSIX_NAMES.get(node.args[0].id, ()):
                    yield node, f"{node.args[0].id}.{node.args[1].value}"


def guarded(module: Module, node: ast.AST) -> bool:
    """Whether a node runs only after a look at the system, or with its absence caught."""
    for up, child in module.above(node):
        if isinstance(up, (ast.If, ast.IfExp)) and child is not up.test:
            if any(word in ast.unparse(up.test) for word in ("hasattr(", "sys.platform", "os.name")):
                return True
        if isinstance(up, ast.BoolOp) and "hasattr(" in ast.unparse(up.values[0]) and child is not up.values[0]:
            return True
        if isinstance(up, ast.Try) and child in up.body:
            caught = " ".join(ast.unparse(h.type) for h in up.handlers if h.type)
            if any(word in caught for word in ("ImportError", "ModuleNotFoundError", "AttributeError")):
                return True
    return False


def portability_offences(module: Module) -> Iterator[str]:
    """What only POSIX systems have, used without a guard."""
    for node, what in posix_uses(module):
        if not guarded(module, node):
            yield module.at(node, f"{what} is not on every system: guard it with hasattr(...) or sys.platform")


def swallowed_errors(module: Module) -> Iterator[str]:
    """Handlers that catch everything, and broad ones that drop what they caught."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ExceptHandler):
            if node.type is None:
                yield module.at(node, "bare except")
            elif _broad(node.type) and all(_idle(statement) for statement in node.body):
                yield module.at(node, f"swallows {ast.unparse(node.type)}")
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "suppress":
            if any(_broad(argument) for argument in node.args):
                yield module.at(node, f"swallows {ast.unparse(node)}")


def _broad(kind: ast.expr) -> bool:
    kinds = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(ast.unparse(k).split(".")[-1] in ("Exception", "BaseException") for k in kinds)


def _idle(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    if isinstance(statement, ast.Return):
        return statement.value is None or isinstance(statement.value, ast.Constant)
    return isinstance(statement, (ast.Pass, ast.Continue, ast.Break))


def evaluations(module: Module) -> Iterator[str]:
    """Text run as code: never by eval; by exec only where the grammar runs the source that it generated."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id == "eval" or (node.func.id == "exec" and module.layer != "grammar"):
                yield module.at(node, f"calls {node.func.id}")


# ------------------------------------------------------------------ files
def docstring_offences(module: Module) -> Iterator[str]:
    if not ast.get_docstring(module.tree):
        yield module.at(module.tree, "opens with no docstring")


def export_offences(module: Module) -> Iterator[str]:
    """A package's `__init__` holds imports and an `__all__` that lists them all, and no code."""
    if not module.package:
        return
    listed: list[str] | None = None
    for node in module.tree.body[1:] if ast.get_docstring(module.tree) else module.tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            listed = list(ast.literal_eval(node.value))
        elif isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "__all__" and node.value:
            listed = list(ast.literal_eval(node.value))
        elif not isinstance(node, (ast.Import, ast.ImportFrom)):
            yield module.at(node, "code in an __init__.py, which only re-exports")
    if listed is None:
        yield module.at(module.tree, "no __all__")
        return
    names = bound_names(module) - {"annotations"}
    for name in sorted(set(listed) - names):
        yield module.at(module.tree, f"__all__ lists {name}, which nothing here binds")
    for name in sorted(n for n in names - set(listed) if not n.startswith("_")):
        yield module.at(module.tree, f"{name} is imported but not in __all__")
    if len(listed) != len(set(listed)):
        yield module.at(module.tree, "__all__ lists a name twice")


def length_offences(modules: Iterable[Module], limit: int) -> list[str]:
    """Files of more lines than `limit`."""
    lengths = ((module.name, len(module.source.splitlines())) for module in modules)
    return [f"{name}: {lines} lines, more than {limit}" for name, lines in lengths if lines > limit]
