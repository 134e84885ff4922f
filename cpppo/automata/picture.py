"""Pictures by graphviz.

Owns the call of its program ``dot``.  Rule: whatever goes wrong there is one error, which says what to do.
Must not know what is drawn.
"""

from __future__ import annotations

import shutil
import subprocess

from cpppo.errors import Error

__all__ = ["PictureError", "svg"]

#: Seconds that graphviz may take.
TIMEOUT_S = 60.0

_WITHOUT = "the styles 'text' and 'dot' need no other program"


class PictureError(Error):
    """Graphviz is not installed, or did not draw a picture."""


def svg(dot_text: str, timeout_s: float = TIMEOUT_S) -> str:
    """The picture, in SVG, of a graph in the language of graphviz.

    :raises PictureError: if graphviz is not installed, refuses the graph, or takes longer than ``timeout_s`` seconds.
    """
    program = shutil.which("dot")
    if program is None:
        raise PictureError(
            "no picture without the program 'dot' of graphviz: install it, eg. by 'apt-get install graphviz', "
            f"'brew install graphviz' or from graphviz.org; {_WITHOUT}"
        )
    try:
        done = subprocess.run([program, "-Tsvg"], input=dot_text.encode(), capture_output=True, timeout=timeout_s)
    except subprocess.TimeoutExpired as exc:
        raise PictureError(
            f"graphviz drew no picture within {timeout_s:g} s: draw a smaller machine, or a part; {_WITHOUT}"
        ) from exc
    except OSError as exc:
        raise PictureError(f"cannot run {program}: {exc.strerror or exc}; mend that, or {_WITHOUT}") from exc
    if done.returncode:
        told = done.stderr.decode(errors="replace").strip() or "it does not say why"
        raise PictureError(f"graphviz drew no picture, status {done.returncode}: {told}; {_WITHOUT}")
    return done.stdout.decode()
