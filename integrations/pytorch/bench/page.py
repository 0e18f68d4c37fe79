#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the chart and the section of docs/pytorch.md on cost, from results/cost.json.

Needs matplotlib (Debian: python3-matplotlib).
"""
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(ROOT / "bench"))
import charts  # noqa: E402: bench is no package

from cost import JOBS, WAYS  # noqa: E402

RESULTS = HERE.parent / "results"
BEGIN, END = "<!-- cost: written by bench/page.py -->", "<!-- /cost -->"


def draw(result):
    """Medians as multiples of plain PyTorch's, each with its own unit."""
    kinds = [("time", "time_us", lambda value: f"{value:,.0f} µs"),
             ("CPU", "cpu_us", lambda value: f"{value:,.0f} µs"),
             ("allocated", "bytes", lambda value: f"{value / 2**20:,.3g} MiB")]
    groups = [(f"{job}: {what}", [(way, result[job][way][key] / result[job]["plain"][key],
                                   text(result[job][way][key])) for way in WAYS])
              for job in JOBS for what, key, text in kinds]
    charts.draw(RESULTS / "cost.svg", ("An RPC with autograd, plain PyTorch and preloaded",
                                       "multiples of plain", groups, False))


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
    draw(result)
    page = ROOT / "docs/pytorch.md"
    text = page.read_text(encoding="utf-8")
    head, tail = text.split(BEGIN)[0], text.split(END)[1]
    page.write_text(f"{head}{BEGIN}\n\n![Time and allocations]"
                    f"(../integrations/pytorch/results/cost.svg)\n\n{table(result)}\n\n{END}{tail}",
                    encoding="utf-8")


if __name__ == "__main__":
    main()
