#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the chart and the section of docs/pytorch.md on cost, from results/cost.json."""
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(ROOT / "bench"))
from report import charts  # noqa: E402: bench is no package

from cost import JOBS, WAYS  # noqa: E402

RESULTS = HERE.parent / "results"
BEGIN, END = "<!-- cost: written by bench/page.py -->", "<!-- /cost -->"


def chart(result):
    """Medians as multiples of plain PyTorch's, each with its time."""
    kinds = [("write", "plain"), ("read", "trailers")]
    groups = []
    for job, (_, _) in JOBS.items():
        for what in ("time", "cpu"):
            plain = result[job]["plain"][f"{what}_us"]
            groups.append((f"{job}: {what}", [(result[job][way][f"{what}_us"] / plain, kind,
                                               f"{result[job][way][f'{what}_us']:,.0f} µs")
                                              for way, (kind, _) in zip(WAYS, kinds)]))
        plain = result[job]["plain"]["bytes"]
        groups.append((f"{job}: allocated", [(result[job][way]["bytes"] / plain, kind,
                                              f"{result[job][way]['bytes'] / 2**20:,.3g} MiB")
                                             for way, (kind, _) in zip(WAYS, kinds)]))
    highest = max(value for _, bars in groups for value, _, _ in bars)
    drawn = charts.chart("An RPC with autograd, plain PyTorch and preloaded",
                         f"multiples of plain; {result['about']['machine']}",
                         charts.Scale(0, highest, [0, 0.25, 0.5, 0.75, 1], False), groups, kinds)
    return drawn.replace("tools/bench of result.json", "bench/page.py of cost.json")


def table(result):
    about = result["about"]
    lines = ["|  | time | of plain | CPU | of plain | allocations | allocated | peak |",
             "| --- | --: | --: | --: | --: | --: | --: | --: |"]
    for job, (_, words) in JOBS.items():
        for way in WAYS:
            row, ratios = result[job][way], {"time": "", "cpu": ""}
            if way == "preloaded":
                ratios = {kind: "{:.3f} ({:.3f} to {:.3f})".format(*result[job][f"{kind}_ratio"])
                          for kind in ratios}
            lines.append(f"| {words}, {way} | {row['time_us']:,.0f} µs | {ratios['time']} | "
                         f"{row['cpu_us']:,.0f} µs | {ratios['cpu']} | {row['allocations']:.0f} | "
                         f"{row['bytes'] / 2**20:.3f} MiB | {row['peak_mib']:.0f} MiB |")
    lines += ["", f"{about['machine']}; PyTorch {about['pytorch']}, Python {about['python']}; "
              f"{about['date']}; `integrations/pytorch/bench/cost.py`. Both ways took turns, "
              f"{about['rounds']} rounds: times are medians of the turns' medians, the ratio is "
              "the mean over the rounds, with its 95 % interval by resampling them. CPU and "
              "peak are of both workers together. Allocations are of "
              "both workers, per RPC, call and answer; counted in a run of their own. The machine "
              "is shared: compare rows, not with numbers of other machines."]
    return "\n".join(lines)


def main():
    result = json.loads((RESULTS / "cost.json").read_text(encoding="utf-8"))
    (RESULTS / "cost.svg").write_text(chart(result), encoding="utf-8")
    page = ROOT / "docs/pytorch.md"
    text = page.read_text(encoding="utf-8")
    head, tail = text.split(BEGIN)[0], text.split(END)[1]
    page.write_text(f"{head}{BEGIN}\n\n![Time and allocations]"
                    f"(../integrations/pytorch/results/cost.svg)\n\n{table(result)}\n\n{END}{tail}",
                    encoding="utf-8")


if __name__ == "__main__":
    main()
