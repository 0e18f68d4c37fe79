# SPDX-License-Identifier: Apache-2.0
"""What is measured besides times: size and compile time."""
import os
import pathlib
import re
import resource
import statistics
import subprocess
import tempfile

from report.measure import say

COMPILE_PAIRS = 21


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def measure_size(results, build):
    """Text as size prints it: code, constants and unwinding tables of the stripped library."""
    with tempfile.TemporaryDirectory() as folder:
        stripped = os.path.join(folder, "stripped.so")
        output("strip", "-o", stripped, str(pathlib.Path(build, "src/libgradtail.so")))
        text = output("size", stripped).splitlines()[1].split()[0]
        code = re.search(r"^\.text\s+(\d+)", output("size", "-A", stripped), re.M).group(1)
        results.values["text KiB"] = int(text) / 1024
        results.values["code KiB"] = int(code) / 1024
        results.values["file KiB"] = os.path.getsize(stripped) / 1024


def standard_headers(include):
    """The standard headers that gradtail.hpp includes through its own headers, each once."""
    names = re.findall(r"\S+\.hpp(?=[\s\\])", output(
        "g++", "-std=c++20", "-MM", "-I", str(include), str(include / "gradtail/gradtail.hpp")))
    text = "".join(pathlib.Path(name).read_text() for name in names)
    return sorted(set(re.findall(r"^#include <([a-z_.]+)>$", text, re.M)))


def compile_seconds(source, include):
    """CPU time, which other programs on the machine disturb least."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    output("g++", "-std=c++20", "-O2", "-c", "-o", os.devnull, "-I", str(include), source)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure_compile_time(results, include):
    say("measuring the compile time")
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = os.path.join(folder, "ours.cpp"), os.path.join(folder, "theirs.cpp")
        pathlib.Path(ours).write_text("#include <gradtail/gradtail.hpp>\n")
        pathlib.Path(theirs).write_text(
            "".join(f"#include <{header}>\n" for header in standard_headers(include)))
        pairs = [(compile_seconds(ours, include), compile_seconds(theirs, include))
                 for _ in range(COMPILE_PAIRS)]
    results.values["compile ms"] = 1000 * statistics.median(a for a, _ in pairs)
    results.values["compile time"] = statistics.median(a / b for a, b in pairs)


def measure_extras(results, build, root):
    measure_size(results, build)
    measure_compile_time(results, root / "include")
