# SPDX-License-Identifier: Apache-2.0
"""The Python that a command runs in, and its PyTorch."""
from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
from typing import Any, Optional

from .errors import Refused

# Without importing PyTorch, which takes seconds.
FIND = """
import importlib.util, json
spec = importlib.util.find_spec("torch")
print(json.dumps(spec.origin if spec else None))
"""

# The libraries as the process has loaded them, wherever this installation keeps them.
DESCRIBE = """
import json, os, sys, torch
paths = {line.split(maxsplit=5)[5].strip() for line in open("/proc/self/maps") if "/lib" in line}
named = lambda name: next(path for path in paths if os.path.basename(path).startswith(name))
print(json.dumps({
    "version": torch.__version__,
    "new_abi": torch.compiled_with_cxx11_abi(),
    "libraries": [named("libtorch_cpu.so"), named("libc10.so")],
    "includes": [os.path.join(os.path.dirname(torch.__file__), "include"),
                 os.path.join(sys.prefix, "include"), "/usr/include"],
}))
"""

CHECK = """
import ctypes, sys
try:
    import torch
except ImportError as error:
    sys.exit(f"{sys.executable} has no PyTorch: {error}")
try:
    check = ctypes.CDLL(None).gradtail_pytorch_check
except AttributeError:
    sys.exit(f"the library can't be preloaded into {sys.executable}")
check.restype = ctypes.c_char_p
why = check()
if why:
    sys.exit(f"PyTorch {torch.__version__} of {sys.executable} is not served: " + why.decode())
print(f"gradtail-pytorch: serves PyTorch {torch.__version__} of {sys.executable}")
"""


def python_of(command: list[str]) -> str:
    """The Python that this command runs: its first word that is one or a script of one, as in
    `torchrun train.py` or `env A=B python3 train.py`; else python3."""
    if shutil.which(command[0]) is None:
        raise Refused(f"there is no command '{command[0]}'")
    for word in command:
        program = shutil.which(word)
        python = _python_of_program(program) if program else None
        if python:
            return python
    return "python3"


def _python_of_program(program: str) -> Optional[str]:
    if os.path.basename(program).startswith("python"):
        return program
    try:
        with open(program, "rb") as file:
            start = file.read(1000).decode(errors="replace")
    except OSError:  # it may be run, but not read
        return None
    # A long path doesn't fit behind #!: then pip has a shell start Python.
    named = (re.match(r"#! *(?:/usr/bin/env +(?:-S +)?)?(\S*python[\d.]*)\s", start)
             or re.match(r"#! */bin/sh\n'''exec' \"?(/[^\"\n]*?python[\d.]*)\"? ", start))
    return named[1] if named else None


def _ask(python: str, code: str) -> str:
    done = subprocess.run([python, "-W", "ignore", "-c", code], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        raise Refused(f"{python} has no PyTorch that works: {last}")
    return done.stdout.splitlines()[-1]


def identity(python: str) -> str:
    """What tells this Python's PyTorch from all others: the text of its version file."""
    origin = json.loads(_ask(python, FIND))
    if origin is None:
        raise Refused(f"{python} has no PyTorch: no module named 'torch'")
    version = pathlib.Path(origin).with_name("version.py")
    if not version.exists():
        raise Refused(f"the module 'torch' of {python}, {origin}, isn't PyTorch")
    return version.read_text(encoding="utf-8")


def describe(python: str) -> dict[str, Any]:
    """Version, ABI, libraries and possible folders of headers of this Python's PyTorch."""
    described: dict[str, Any] = json.loads(_ask(python, DESCRIBE))
    return described


def check(python: str, environment: dict[str, str]) -> str:
    """Has the preloaded library say whether it serves this Python's PyTorch; returns the sentence."""
    done = subprocess.run([python, "-W", "ignore", "-c", CHECK], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False,
                          env={**environment, "GRADTAIL_PYTORCH_COUNTS": ""})
    if done.returncode != 0:
        raise Refused(done.stderr.strip() or f"status {done.returncode}")
    sys.stderr.write(done.stderr)
    return done.stdout
