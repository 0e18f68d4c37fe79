#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The version in meson.build is that of the newest entry of each changelog, of every package and
of the files that the page on installing names."""
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def found(file, pattern):
    """What the first match of `pattern`, at the beginning of a line, has for its group."""
    match = re.search(pattern, (ROOT / file).read_text(), re.MULTILINE)
    return match[1] if match else f"nothing that looks like {pattern}"


def main():
    version = found("meson.build", r"^  version: '([^']+)',$")
    port = "packaging/vcpkg/ports/gradtail/vcpkg.json"
    others = {
        "CHANGELOG.md": found("CHANGELOG.md", r"^## ([0-9.]+), "),
        "debian/changelog": found("debian/changelog", r"^gradtail \(([^)]+)\)"),
        "debian/control": found("debian/control", r"^Package: libgradtail([0-9.]+)$"),
        port: json.loads((ROOT / port).read_text())["version"],
    }
    page = (ROOT / "docs/install.md").read_text()
    others |= {f"docs/install.md: {name}": other
               for name, other in re.findall(r"(gradtail[-/]([0-9]+\.[0-9]+\.[0-9]+))", page)}
    expected = {name: version for name in others}
    expected["debian/control"] = ".".join(version.split(".")[:2])
    wrong = [f"{name} has {other}, not {expected[name]}"
             for name, other in others.items() if other != expected[name]]
    if wrong:
        sys.exit(f"meson.build has version {version}, but " + "; ".join(wrong))


main()
