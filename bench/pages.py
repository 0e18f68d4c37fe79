# SPDX-License-Identifier: Apache-2.0
"""The tables of a result, the same ones for the terminal and for documents, and its charts."""
import json
import re
import textwrap

from measure import ROOT, table
from rounds import VARIANTS, more_cell

RESULTS = ROOT / "bench/results"
RESULT = RESULTS / "result.json"
# Name, row that writes, row that reads, what its reader doesn't check. The tables of the last four
# but PyTorch have gradtail's footer around them, so their length, version and checksum are checked.
PEERS = [
    ("struct, unchecked", "write/struct", "read/struct", "anything"),
    ("floor", "write/floor", "read/floor", "ranges; has one set of fields, one layout"),
    ("gradtail", "write/write_trailer", "read/open", ""),
    ("msgpack", "write/msgpack", "read/msgpack", "ranges, elements after the fourth"),
    ("Protobuf", "write/Protobuf", "read/Protobuf", "ranges, that all fields are there"),
    ("FlatBuffers by hand", "write/FlatBufferBuilder, reused", "read/FlatBuffers Verifier",
     "ranges"),
    ("PyTorch", "write/PyTorch", "read/PyTorch",
     "damage (no magic, version or checksum), ranges; copies the payload"),
]


def time_cell(row):
    return f"{row['ns']:.1f} ns ± {100 * row['spread']:.1f} %"


def floor_cell(row):
    return f"{row['x floor']:.1f}" if "x floor" in row else ""


def peer_table(result):
    lines = []
    for name, write, read, not_checked in PEERS:
        if write in result["rows"] and read in result["rows"]:
            w, r = result["rows"][write], result["rows"][read]
            lines.append([f"**{name}**" if name == "gradtail" else name,
                          time_cell(w), floor_cell(w), time_cell(r), floor_cell(r),
                          w["wire"], not_checked])
    last = "its reader doesn't check"
    return table(["", "write", "x floor", "read", "x floor", "bytes", last], lines, ("", last))


def row_table(result):
    return table(["row", "time", "x floor", "instructions", "allocations"],
                 [[name, time_cell(row), floor_cell(row),
                   row.get("instructions", ""), row.get("allocations", "")]
                  for name, row in result["rows"].items()], ("row",))


def goal_table(result):
    lines = []
    for what, value, bound, unit in result["goals"]:
        met = value >= -bound if bound < 0 else value <= bound
        lines.append([what, f"{value:g} {unit}".strip(),
                      f"{'at least' if bound < 0 else 'at most'} {abs(bound):g} {unit}".strip(),
                      "met" if met else "**missed**"])
    return table(["goal", "measured", "bound", ""], lines, ("goal", ""))


def size_name(size):
    return f"{size >> 20} MiB" if size >= 1 << 20 else f"{size >> 10} KiB"


def end_to_end_table(result):
    return table(["payload", "metadata", "median", "p99", "CPU, caller + server",
                  "more time (95 %)", "more CPU (95 %)"],
                 [[size_name(line["payload"]), line["name"], f"{line['ns'] / 1000:.1f} us",
                   f"{line['p99'] / 1000:.1f} us",
                   f"{line['caller'] / 1000:.1f} + {line['server'] / 1000:.1f} us",
                   *(more_cell(line[key]) if key in line else ""
                     for key in ("more ns", "more CPU"))]
                  for line in result["end_to_end"]], ("metadata",))


def about_text(result):
    about = result["about"]
    return "\n".join(textwrap.wrap(
        f"{about['machine']}; {about['system']}; {about['compiler']}; `{about['flags']}`; commit "
        f"{about['commit']}; {about['date']}; `{about['command']}`. The machine is shared: compare "
        "rows with each other, not with numbers from other machines.",
        100, break_on_hyphens=False, break_long_words=False))


def store(result):
    """One line for each item, so that two versions can be compared."""
    parts = []
    for key, part in result.items():
        items = ([f"{json.dumps(name)}: {json.dumps(item)}" for name, item in part.items()]
                 if isinstance(part, dict) else [json.dumps(item) for item in part])
        start, end = "{}" if isinstance(part, dict) else "[]"
        parts.append(f'"{key}": {start}\n  ' + ",\n  ".join(items) + f"\n{end}")
    RESULT.write_text("{\n" + ",\n".join(parts) + "\n}\n")


def draw(result):
    import charts
    rows = result["rows"]
    peers = [(name, rows[write], rows[read]) for name, write, read, _ in PEERS
             if write in rows and read in rows]
    times = [(name, [(kind, row["ns"], f"{row['ns']:,.1f} ns")
                     for kind, row in (("write", write), ("read", read))])
             for name, write, read in peers]
    sizes = [(name, [("bytes", write["wire"], write["wire"])]) for name, write, _ in peers]
    charts.draw(RESULTS / "costs.svg",
                ("Time to write and to read four scalars behind 1 KiB", "ns", times, True),
                ("Bytes behind the payload", "bytes", sizes, False))
    lines = result["end_to_end"]
    if lines:
        base = {line["payload"]: line["ns"] for line in lines if line["name"] == VARIANTS[0]}
        requests = [(name, [(size_name(line["payload"]), line["ns"] / base[line["payload"]],
                             f"{line['ns'] / 1000:.1f} us")
                            for line in lines if line["name"] == name])
                    for name in VARIANTS]
        charts.draw(RESULTS / "end_to_end.svg",
                    ("Request and response", "multiples of no metadata", requests, False))


def replace(page, parts):
    """Replaces what is between <!-- bench:NAME --> and <!-- /bench -->."""
    path = ROOT / page
    path.write_text(re.sub(r"(<!-- bench:(\w+) -->\n).*?(<!-- /bench -->)",
                           lambda found: f"{found[1]}\n{parts[found[2]]}\n\n{found[3]}",
                           path.read_text(), flags=re.S))


def write(result):
    parts = {"peers": peer_table(result), "rows": row_table(result), "goals": goal_table(result),
             "end_to_end": end_to_end_table(result), "about": about_text(result)}
    replace("docs/benchmarks.md", parts)
    replace("README.md", parts)
