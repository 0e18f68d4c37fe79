# SPDX-License-Identifier: Apache-2.0
"""Bar charts of the stored run as SVG, readable on light and on dark pages."""
import math
from xml.sax.saxutils import escape

from report import end_to_end, rows

WIDTH, LEFT, RIGHT, TOP, BAR, GAP = 760, 170, 90, 64, 14, 12
STYLE = """
    .panel { fill: #ffffff; stroke: #d0d7de; }
    .write { fill: #2f6feb; } .read { fill: #1a7f5a; } .wire { fill: #9a6700; }
    .grid { stroke: #d0d7de; }
    text { font-family: "Segoe UI", Helvetica, Arial, "DejaVu Sans", sans-serif; font-size: 13px;
      fill: #1f2328; }
    .title { font-weight: 600; } .name { text-anchor: end; } .own { font-weight: 600; }
    .note { font-size: 12px; fill: #57606a; } .tick { font-size: 12px; text-anchor: middle;
      fill: #57606a; }
    @media (prefers-color-scheme: dark) {
      .panel { fill: #0d1117; stroke: #30363d; }
      .write { fill: #6ea8fe; } .read { fill: #56c596; } .wire { fill: #d4a72c; }
      .grid { stroke: #30363d; }
      text { fill: #e6edf3; }
      .note, .tick { fill: #8b949e; }
    }
"""


class Scale:
    """From values to places on the x axis."""

    def __init__(self, low, high, ticks, logarithmic):
        self.turn = math.log10 if logarithmic else float
        self.low, self.high, self.ticks = self.turn(low), self.turn(high), ticks

    def x(self, value):
        part = (self.turn(value) - self.low) / (self.high - self.low)
        return LEFT + max(part, 0) * (WIDTH - LEFT - RIGHT)


def text(x, y, words, kind=""):
    kind = kind and f' class="{kind}"'
    return f'  <text x="{x:.1f}" y="{y:.1f}"{kind}>{escape(words)}</text>'


def bar(scale, y, value, kind, words):
    end = scale.x(value)
    width = max(end - LEFT, 1)
    return [f'  <rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR}" class="{kind}"/>',
            text(end + 6, y + BAR - 2.5, words)]


def grid(scale, bottom):
    for tick in scale.ticks:
        x = scale.x(tick)
        yield f'  <line x1="{x:.1f}" y1="{TOP - 6}" x2="{x:.1f}" y2="{bottom}" class="grid"/>'
        yield text(x, bottom + 16, f"{tick:g}", "tick")


def legend(kinds):
    """Says which colour is what, to the right of the title."""
    x = WIDTH - RIGHT - 60 * len(kinds)
    for kind, words in kinds:
        yield f'  <rect x="{x}" y="14" width="12" height="12" class="{kind}"/>'
        yield text(x + 18, 25, words)
        x += 70


def all_bars(scale, groups):
    """Groups (name, [(value, kind, words)]), one bar below the other, and where they end."""
    lines, y = [], TOP
    for name, bars in groups:
        middle = y + BAR * len(bars) / 2
        kind = "name own" if name == "gradtail" else "name"
        lines.append(text(LEFT - 10, middle + 4.5, name, kind))
        for value, kind, words in bars:
            lines += bar(scale, y, value, kind, words)
            y += BAR
        y += GAP
    return lines, y


def head(title, height):
    return ['<?xml version="1.0" encoding="UTF-8"?>',
            "<!-- SPDX-License-Identifier: Apache-2.0 -->",
            f"<!-- {escape(title)}: made by tools/bench of result.json. -->",
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
            f'viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="title">',
            f'  <title id="title">{escape(title)}</title>', f"  <style>{STYLE}  </style>",
            f'  <rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="6" '
            'class="panel"/>']


def chart(title, note, scale, groups, kinds):
    """The whole SVG. `kinds` are the colours and what they stand for."""
    bars, bottom = all_bars(scale, groups)
    lines = head(title, bottom + 30) + list(grid(scale, bottom)) + bars
    lines += [text(16, 25, title, "title"), text(16, 43, note, "note")]
    lines += legend(kinds) if len(kinds) > 1 else []
    return "\n".join(lines + ["</svg>"]) + "\n"


def nanoseconds(value):
    return f"{value:.1f} ns" if value < 100 else f"{value:,.0f} ns"


def times_chart(about, results):
    groups = []
    for name, write, read in rows.PEERS:
        bars = [(results.median(row), kind, nanoseconds(results.median(row)))
                for row, kind in [(write, "write"), (read, "read")] if row in results.rows]
        if bars:
            groups.append((name, bars))
    highest = max(value for _, bars in groups for value, _, _ in bars)
    ticks = [10 ** power for power in range(0, math.ceil(math.log10(highest)) + 1)]
    note = f"ns, logarithmic; payload 1 KiB, four scalars; {about['machine']}"
    return chart("Time to write and to read, checked", note,
                 Scale(0.5, max(highest, 10), [t for t in ticks if t <= highest], True), groups,
                 [("write", "write"), ("read", "read")])


def wire_chart(results):
    sizes = {name: results.rows.get(write, {}).get("wire") for name, write, _ in rows.PEERS}
    groups = [(name, [(size, "wire", f"{size} bytes")]) for name, size in sizes.items() if size]
    highest = max(bars[0][0] for _, bars in groups)
    note = "bytes behind the payload, four scalars; with length and checksum where it has them"
    return chart("Size on the wire", note, Scale(0, highest, range(0, highest + 1, 16), False),
                 groups, [("wire", "bytes")])


def end_to_end_chart(about, results):
    groups, kinds = end_to_end.chart_groups(results.end_to_end)
    highest = max(value for _, bars in groups for value, _, _ in bars)
    ticks = [tick / 4 for tick in range(0, int(4 * highest) + 1)]
    note = f"request and response over TCP, as multiples of no metadata; {about['machine']}"
    return chart("Time of a request by TensorPipeAgent", note, Scale(0, highest, ticks, False),
                 groups, kinds)


def draw(root, about, results):
    folder = root / "bench/results"
    (folder / "times.svg").write_text(times_chart(about, results))
    (folder / "wire.svg").write_text(wire_chart(results))
    if results.end_to_end:
        (folder / "end_to_end.svg").write_text(end_to_end_chart(about, results))
