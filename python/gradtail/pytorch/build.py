# SPDX-License-Identifier: Apache-2.0
"""Builds the library for one PyTorch, once, in the user's cache folder."""
from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from typing import Any

from . import target
from .errors import Refused

FILES = pathlib.Path(__file__).parent / "files"  # sources, headers and the library, as installed
LIBRARY, PART = "libgradtail_pytorch.so", "libgradtail_pytorch_torch.so"
# The part that knows PyTorch, as one source: PyTorch's headers are most of the work.
PART_SOURCES = ["backward.cpp", "exchange.cpp", "rpc_with_autograd.cpp", "rpc_with_profiling.cpp",
                "self_test.cpp"]
HEADER = "torch/csrc/distributed/autograd/rpc_messages/rpc_with_autograd.h"


def library_for(python: str) -> pathlib.Path:
    """The library to preload for this Python's PyTorch. Builds it if it isn't in the cache; of several
    processes, one builds and the others wait."""
    if not FILES.exists():
        raise Refused("this is a checkout, which has no built library: install it (pip install .)")
    known = target.identity(python)
    folder = _cache() / _key(known)
    if not _complete(folder):
        with _locked(folder):
            if not _complete(folder):
                _build(target.describe(python), folder)
    return folder / LIBRARY


def _complete(folder: pathlib.Path) -> bool:
    """Whether the library is there. What cleans up a cache may take one file of it."""
    return all((folder / name).exists() for name in (LIBRARY, PART))


def _cache() -> pathlib.Path:
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    if not re.fullmatch("/[^ :]*", base):
        raise Refused(f"'{base}' can't hold the library, since LD_PRELOAD takes only absolute paths "
                      "without spaces and colons: set XDG_CACHE_HOME to such a folder")
    return pathlib.Path(base) / "gradtail" / "pytorch"


def _key(known: str) -> str:
    """A name for what the library depends on: this PyTorch, this gradtail, this machine."""
    digest = hashlib.sha256((known + platform.machine()).encode())
    for path in sorted(FILES.rglob("*")):
        if path.is_file():
            digest.update(path.name.encode() + path.read_bytes())
    version = known.partition("__version__ = '")[2].partition("'")[0] or "unknown"
    return f"{version}-{digest.hexdigest()[:16]}"


@contextlib.contextmanager
def _locked(folder: pathlib.Path) -> Iterator[None]:
    import fcntl  # not on Windows, which is refused before

    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = open(f"{folder}.lock", "w", encoding="utf-8")
    except OSError as error:
        raise Refused(f"{folder.parent} can't be written ({error.strerror}): set XDG_CACHE_HOME to "
                      "a folder that can") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("waiting for another process that is building the library")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(torch: dict[str, Any], folder: pathlib.Path) -> None:
    """Builds in a temporary folder, which is renamed when it is complete."""
    compiler = _compiler()
    if not torch["new_abi"]:
        raise Refused(f"PyTorch {torch['version']} uses the old C++ ABI, which this package "
                      "isn't built for: use PyTorch 2.7 or newer")
    include = _headers(torch)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="build-") as made, \
            _progress(f"building the library for PyTorch {torch['version']}, once"):
        made_in = pathlib.Path(made) / "done"
        made_in.mkdir()
        source = pathlib.Path(made) / "part.cpp"
        source.write_text("".join(f'#include "{name}"\n' for name in PART_SOURCES))
        options = ["-std=c++20", "-O2", "-DNDEBUG", "-fPIC", "-fvisibility=hidden", "-shared",
                   f"-I{FILES}", f"-I{made}", f"-I{FILES}/include",
                   f"-Wl,--version-script={FILES}/exports.map"]
        system = [] if include == "/usr/include" else ["-isystem", include]
        _run([*compiler, *options, *system, "-isystem", f"{include}/torch/csrc/api/include",
              str(source), f"{FILES}/libgradtail_part.a", *torch["libraries"],
              "-o", str(made_in / PART)])
        _run(["sh", f"{FILES}/built_for.sh", str(made_in / PART), torch["version"],
              f"{made}/built_for.hpp"])
        _run([*compiler, *options, f"{FILES}/preload.cpp", f"{FILES}/settings.cpp", "-ldl",
              f"-Wl,-soname,{LIBRARY}", "-o", str(made_in / LIBRARY)])
        shutil.rmtree(folder, ignore_errors=True)
        os.rename(made_in, folder)


def _compiler() -> list[str]:
    named = os.environ.get("CXX")
    for command in [shlex.split(named)] if named else [["c++"], ["g++"], ["clang++"]]:
        if shutil.which(command[0]):
            return command
    raise Refused(
        (f"CXX is '{named}', which doesn't exist" if named else "there is no C++ compiler")
        + ", and the library must be built for this PyTorch once: install gcc 12 or clang 14 or newer "
        "(Debian: apt-get install g++; conda: conda install gxx)")


def _headers(torch: dict[str, Any]) -> str:
    for include in torch["includes"]:
        if os.path.exists(os.path.join(include, HEADER)):
            return str(include)
    raise Refused(f"PyTorch {torch['version']} has no headers for RPCs with autograd, in none of "
                  + ", ".join(torch["includes"]) + " (Debian: apt-get install libtorch-dev)")


def _run(command: list[str]) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", check=False,
                          env={key: value for key, value in os.environ.items() if key != "LD_PRELOAD"})
    if done.returncode != 0:
        # The linker's reason has "failed", where it has one: no space left, for example.
        errors = [line for line in done.stdout.splitlines() if re.search("error|failed", line)]
        errors = errors or [done.stdout[-500:]]
        raise Refused("the library can't be built for this PyTorch: this command fails\n  "
                      + shlex.join(command) + "\n  " + "\n  ".join(errors[:5]))


@contextlib.contextmanager
def _progress(what: str) -> Iterator[None]:
    """Says what is done, and for how long; on a terminal it counts the seconds."""
    done, start = threading.Event(), time.monotonic()

    def count() -> None:
        while not done.wait(1):
            print(f"\rgradtail-pytorch: {what}: {time.monotonic() - start:.0f} s", end="",
                  file=sys.stderr, flush=True)

    _say(f"{what} (about half a minute)")
    counter = threading.Thread(target=count, daemon=True)
    if sys.stderr.isatty():
        counter.start()
    try:
        yield
    finally:
        done.set()
        if counter.is_alive():
            counter.join()
            print(file=sys.stderr)
    _say(f"built in {time.monotonic() - start:.0f} s")


def _say(what: str) -> None:
    print(f"gradtail-pytorch: {what}", file=sys.stderr, flush=True)
