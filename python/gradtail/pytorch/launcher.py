# SPDX-License-Identifier: Apache-2.0
"""The command gradtail-pytorch: its arguments, the check of PyTorch, and the command that it runs."""
from __future__ import annotations

import argparse
import os
import pathlib
import signal
import struct
import subprocess
import sys
import tempfile
from typing import Optional

from . import build, target
from .errors import Refused

MODES = ["read", "write", "only"]
KINDS = ["forward", "gradients", "cleanup", "rref_backward"]
COUNTS = struct.Struct("=5Q")

DESCRIPTION = """\
Runs COMMAND, such as `python3 train.py` or `torchrun train.py`, with PyTorch's autograd metadata in
gradtail trailers. First checks that it can serve the PyTorch of that Python: its version, its symbols,
and one message of each kind that it sends to itself. For a PyTorch that it meets for the first time it
builds a library, which needs a C++ compiler and takes about half a minute."""
EPILOG = """\
The exit status is COMMAND's, or 2 if PyTorch can't be served or the arguments are wrong."""
MODE = """\
read: accept trailers and pickles, send pickles; write (the default): accept both, send trailers; only:
accept and send trailers. Add ,KIND=MODE for one kind of message, as in write,gradients=read; the kinds
are """ + ", ".join(KINDS) + """. The environment variable GRADTAIL_PYTORCH does the same."""


def mode_of(text: str) -> str:
    """The text, if it is MODE or MODE,KIND=MODE,..."""
    first, *others = text.split(",")
    pairs = [other.partition("=") for other in others]
    if first in MODES and all(kind in KINDS and mode in MODES for kind, _, mode in pairs):
        return text
    raise Refused(f"the mode must be read, write or only, optionally with ,KIND=MODE, not '{text}'; "
                  "kinds are " + ", ".join(KINDS))


def parse(arguments: Optional[list[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="gradtail-pytorch", description=DESCRIPTION, epilog=EPILOG, allow_abbrev=False,
        usage="gradtail-pytorch [--mode MODE[,KIND=MODE]...] [--count] COMMAND [ARGUMENT]...\n"
              "       gradtail-pytorch --check [PYTHON]")
    parser.add_argument("--mode", metavar="MODE", help=MODE)
    parser.add_argument("--count", action="store_true",
                        help="print at the end how many trailers and pickles all processes sent and "
                             "received")
    parser.add_argument("--check", action="store_true",
                        help="only build and check for PYTHON (python3)")
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND",
                        help="the command and its arguments")
    options = parser.parse_args(arguments)
    if options.command[:1] == ["--"]:
        del options.command[0]
    if not options.command and not options.check:
        parser.error("COMMAND is missing")
    return options


def run_and_count(command: list[str], environment: dict[str, str]) -> int:
    """Runs the command with counts in a file that all of its processes share."""
    with tempfile.NamedTemporaryFile(prefix="gradtail-") as file:
        file.write(bytes(COUNTS.size))
        file.flush()
        os.chmod(file.name, 0o666)  # processes of other users count, too
        process = subprocess.Popen(
            command, env={**environment, "GRADTAIL_PYTORCH_COUNTS": file.name})
        # Ctrl-C reaches the command by itself; other signals are passed on.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(number, lambda passed, _: process.send_signal(passed))
        status = process.wait()
        file.seek(0)
        sent, received, pickles_sent, pickles_received, _ = COUNTS.unpack(file.read(COUNTS.size))
    print(f"gradtail-pytorch: {sent} trailers sent, {received} received; {pickles_sent} pickles sent, "
          f"{pickles_received} received", file=sys.stderr)
    return status if status >= 0 else 128 - status


def launch(options: argparse.Namespace, library: Optional[pathlib.Path]) -> int:
    if sys.platform != "linux":
        raise Refused(f"only Linux is supported, where a library can be preloaded, not {sys.platform}")
    environment = dict(os.environ)
    if options.mode is not None:
        environment["GRADTAIL_PYTORCH"] = options.mode
    mode_of(environment.get("GRADTAIL_PYTORCH", "write"))
    python = target.python_of(options.command or ["python3"])
    library = library or build.library_for(python)
    others = environment.get("LD_PRELOAD")
    environment["LD_PRELOAD"] = f"{library}:{others}" if others else str(library)
    served = target.check(python, environment)
    if options.check:
        print(served, end="")
        return 0
    if options.count:
        return run_and_count(options.command, environment)
    os.execvpe(options.command[0], options.command, environment)


def main(arguments: Optional[list[str]] = None, library: Optional[pathlib.Path] = None) -> int:
    """Runs the launcher and returns its exit status. `library` is one that is built already."""
    options = parse(arguments)
    try:
        return launch(options, library)
    except (Refused, OSError) as why:
        print(f"gradtail-pytorch: {why}", file=sys.stderr)
        return 2
