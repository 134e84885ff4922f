"""Packaging: what is installed, under which names, with which dependencies.

The dependencies and their pins are read from the requirements files and the version from
cpppo/version.py, so that each is written down once. Tool settings live in pyproject.toml.
"""

import re
import runpy
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).resolve().parent


def text(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def requirements(name: str) -> list[str]:
    """The requirements of one file, without comments and without the files it includes."""
    lines = (line.partition("#")[0].strip() for line in text(name).splitlines())
    return [line for line in lines if line and not line.startswith("-")]


def pick(lines: list[str], *names: str) -> list[str]:
    """Those requirements that are about the named distributions."""
    return [line for line in lines if re.split(r"[<>=!~;\[ ]", line)[0] in names]


def version() -> str:
    """The version, from its file alone: importing the package needs the dependencies installed."""
    return str(runpy.run_path(str(HERE / "cpppo" / "version.py"))["__version__"])


OPTIONAL = requirements("requirements-optional.txt")
TEST = pick(OPTIONAL + requirements("requirements-dev.txt"), "pytest", "hypothesis")
EXTRAS = {
    "web": pick(OPTIONAL, "web.py", "prometheus-client"),
    "history": pick(OPTIONAL, "pytz", "tzlocal"),
    "remote": pick(OPTIONAL, "pymodbus", "pyserial"),
    "test": TEST,
    "all": [line for line in OPTIONAL if line not in TEST],
}

setup(
    name="cpppo",
    version=version(),
    description="Communications protocol parsing on automata, with an EtherNet/IP CIP simulator and client",
    long_description=text("README.org"),
    long_description_content_type="text/plain",
    author="the cpppo authors",
    license_expression="MIT",
    license_files=["LICENSE"],
    keywords="EtherNet/IP CIP PLC Logix simulator client protocol parser automata DFA",
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Developers",
        "Intended Audience :: Manufacturing",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Software Development :: Libraries",
        "Topic :: System :: Networking",
        "Typing :: Typed",
    ],
    packages=find_packages(include=["cpppo", "cpppo.*"]),
    package_data={
        "cpppo": ["py.typed"],
        "cpppo.server.enip.web": ["openapi.json", "page/*.html", "page/*.css", "page/*.js", "page/images/*.png"],
    },
    python_requires=">=3.10",
    install_requires=requirements("requirements.txt"),
    extras_require=EXTRAS,
    entry_points={
        "console_scripts": [
            "enip_server = cpppo.server.enip.main:main",
            "enip_client = cpppo.server.enip.client.cli:main",
            "modbus_poll = cpppo.remote.modbus_poll:main",
            "modbus_sim = cpppo.remote.modbus_sim:main",
        ],
        "pytest11": ["cpppo = cpppo.server.enip.pytest_plugin"],
    },
    zip_safe=False,
)
