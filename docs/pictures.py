#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the pictures of docs/debugging.md: what gradtail and tshark print, as SVG.

    docs/pictures.py PROGRAM    # PROGRAM is gradtail; tshark is needed, too
"""

import html
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "golden"), str(ROOT / "integrations" / "wireshark" / "tests")]
import dissector_test  # noqa: E402
import wire  # noqa: E402

# ANSI styles that are printed, and their colors in the picture.
STYLES = {"0": "#d0d0d0", "1": "#ffffff", "2": "#8a8a8a", "32": "#87d787", "33": "#d7af5f",
          "36": "#5fafd7", "1;31": "#ff5f5f", "1;32": "#87d787", "1;37;41": "#ff5f5f"}


def spans(line):
    for style, text in re.findall(r"(?:\x1b\[([\d;]+)m)?([^\x1b]*)", line):
        if text:
            bold = ' font-weight="bold"' if style.startswith("1") else ""
            yield f'<tspan fill="{STYLES[style or "0"]}"{bold}>{html.escape(text)}</tspan>'


def draw(name, lines):
    width = max(len(re.sub(r"\x1b\[[\d;]+m", "", line)) for line in lines)
    rows = "\n".join(f'<text x="12" y="{26 + 17 * i}">{"".join(spans(line))}</text>'
                     for i, line in enumerate(lines))
    size = f"{24 + 7.85 * width:.0f} {24 + 17 * len(lines)}"
    (ROOT / "docs" / name).write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" font-family="monospace" '
        f'font-size="13" xml:space="preserve">\n<rect width="100%" height="100%" rx="8" '
        f'fill="#1d1f21"/>\n{rows}\n</svg>\n')


def hostile():
    fields = {"context_id": (1 << 48) + 5, "message_id": (2 << 48) + 7, "from_worker_id": -2}
    return wire.seal(bytes(range(97, 117)), wire.canonical_table(fields))


def main(program):
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "refused.bin"
        file.write_bytes(hostile())
        command = [program, "inspect", "--color", "always", "refused.bin"]
        printed = subprocess.run(command, cwd=folder, capture_output=True, text=True).stdout
        draw("inspect.svg", ["\x1b[1m$ gradtail inspect refused.bin", *printed.splitlines()])

        capture = pathlib.Path(folder) / "capture.pcap"
        device_map = [((1, 0), (1, 1)), ((1, 1), (1, 0))]
        good = {"context_id": 7, "message_id": (2 << 48) + 7, "device_map": device_map}
        flipped = bytearray(wire.write(b"gradients", good))
        flipped[30] ^= 1
        packets = [wire.write(b"gradients", good), bytes(flipped)]
        dissector_test.write_capture(capture, packets, 17)
        printed = dissector_test.tshark(
            capture, "-o", "gradtail.udp_ports:50000", "-O", "gradtail").splitlines()
        lines = ["\x1b[1m$ tshark -X lua_script:gradtail.lua -r capture.pcap -O gradtail"]
        for line in printed:
            is_wrong = "corrupt" in line or "wrong" in line
            is_ours = line.startswith(("gradtail", " "))
            if "Raw packet" not in line:
                lines.append(f"\x1b[{'1;31' if is_wrong else '0' if is_ours else '2'}m{line}")
        draw("wireshark.svg", lines)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]).resolve())
