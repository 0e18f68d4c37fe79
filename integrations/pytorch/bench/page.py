#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the chart and the section of docs/pytorch.md on cost, from results/cost.json.

Needs matplotlib (Debian: python3-matplotlib).
"""
import json
import pathlib
import sys

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "bench"))

import pages  # noqa: E402
from cost import BLOCK, JOBS, WAYS  # noqa: E402

RESULTS = HERE.parent / "results"
NAMES = {"plain": "plain", "calls": "trailers on calls", "all": "trailers on all kinds"}


def chart(result, path):
    """The ratios to plain PyTorch, with their intervals."""
    import matplotlib
    matplotlib.use("svg")
    import matplotlib.pyplot as plt
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "gradtail"})
    figure, axes = plt.subplots(figsize=(7.6, 4), layout="constrained")
    for offset, way in ((-0.15, "calls"), (0.15, "all")):
        ratios = [result[job]["time_ratios"][f"{way} / plain"] for job in JOBS]
        middles = [middle for middle, _, _ in ratios]
        axes.errorbar(middles, [row + offset for row in range(len(JOBS))], fmt="o", capsize=3,
                      xerr=[[m - low for m, low, _ in ratios], [high - m for m, _, high in ratios]],
                      label=NAMES[way])
    axes.axvline(1, color="gray", linewidth=1)
    axes.set_yticks(range(len(JOBS)), list(JOBS))
    axes.invert_yaxis()
    axes.set_xlabel("time, multiples of plain PyTorch; 95 % intervals")
    axes.legend()
    figure.savefig(path, metadata={"Date": None})


def ratio(result, job, way, other):
    pair = f"{way} / {other}"
    known = result[job]["time_ratios"]
    return "{:.3f} ({:.3f} to {:.3f})".format(*known[pair]) if pair in known else ""


def table(result):
    about = result["about"]
    lines = []
    for job in JOBS:
        for way in WAYS:
            row = result[job][way]
            lines.append([f"{job}: {NAMES[way]}", f"{row['time_us']:,.0f} µs",
                          ratio(result, job, way, "plain"), ratio(result, job, way, "calls"),
                          f"{row['allocations']:,.0f}", f"{row['bytes'] / 2**20:.3f} MiB"])
    head = ["", "time", "of plain", "of trailers on calls", "allocations", "allocated"]
    lines = [pages.table(head, lines)]
    lines += ["", "; ".join(f"{job}: {words}" for job, (_, words) in JOBS.items()) + ".",
              "", f"{about['machine']}, load {about['load'][0]} before the start; PyTorch "
              f"{about['pytorch']}, Python {about['python']}; {about['date']}; "
              f"`integrations/pytorch/bench/cost.py`. The three took turns, {about['rounds']} rounds: "
              "times are medians of the turns' medians; a ratio is the median over the rounds, with "
              f"its 95 % interval by resampling blocks of {BLOCK} rounds. Allocations are of both "
              "workers together, for one operation, in a run of their own."]
    return "\n".join(lines)


def main():
    result = json.loads((RESULTS / "cost.json").read_text(encoding="utf-8"))
    chart(result, RESULTS / "cost.svg")
    picture = "![Time, in multiples of plain PyTorch](../integrations/pytorch/results/cost.svg)"
    pages.replace("docs/pytorch.md", {"cost": f"{picture}\n\n{table(result)}"})


if __name__ == "__main__":
    main()
