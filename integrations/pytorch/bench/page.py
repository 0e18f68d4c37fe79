#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the chart and the section of docs/pytorch.md on cost, from results/cost.json.

Needs matplotlib (Debian: python3-matplotlib).
"""
import json
import pathlib

from cost import JOBS, WAYS

HERE = pathlib.Path(__file__).resolve().parent
RESULTS = HERE.parent / "results"
BEGIN, END = "<!-- cost: written by bench/page.py -->", "<!-- /cost -->"
NAMES = {"plain": "plain", "calls": "trailers on calls", "all": "trailers on all kinds"}


def chart(result, path):
    """The ratios to plain PyTorch, with their intervals."""
    import matplotlib
    matplotlib.use("svg")
    import matplotlib.pyplot as plt
    matplotlib.rcParams["svg.hashsalt"] = "gradtail"
    figure, axes = plt.subplots(figsize=(7.6, 4), layout="constrained")
    for offset, way in ((-0.15, "calls"), (0.15, "all")):
        ratios = [result[job]["time_ratios"][f"{way} / plain"] for job in JOBS]
        middles = [ratio[0] for ratio in ratios]
        axes.errorbar(middles, [row + offset for row in range(len(JOBS))], fmt="o", capsize=3,
                      xerr=[[m - low for m, low, _ in ratios], [high - m for m, _, high in ratios]],
                      label=NAMES[way])
    axes.axvline(1, color="gray", linewidth=1)
    axes.set_yticks(range(len(JOBS)), list(JOBS))
    axes.invert_yaxis()
    axes.set_xlabel("time, multiples of plain PyTorch; 95 % intervals")
    axes.legend()
    figure.savefig(path, metadata={"Date": None})


def table(result):
    about = result["about"]
    lines = ["|  | time | of plain | allocations | allocated |", "| --- | --: | --: | --: | --: |"]
    for job, (_, words) in JOBS.items():
        for way in WAYS:
            row, ratio = result[job][way], ""
            if way != "plain":
                ratio = "{:.3f} ({:.3f} to {:.3f})".format(
                    *result[job]["time_ratios"][f"{way} / plain"])
            lines.append(f"| {words}: {NAMES[way]} | {row['time_us']:,.0f} µs | {ratio} | "
                         f"{row['allocations']:,.0f} | {row['bytes'] / 2**20:.3f} MiB |")
    lines += ["", f"{about['machine']}; PyTorch {about['pytorch']}, Python {about['python']}; "
              f"{about['date']}; `integrations/pytorch/bench/cost.py`. The three took turns, "
              f"{about['rounds']} rounds: times are medians of the turns' medians, the ratio is "
              "the mean over the rounds, with its 95 % interval by resampling them. Allocations are "
              "of both workers together, for one operation, in a run of their own. The machine had "
              f"other work (load {about['load'][0]} on {about['machine'].rsplit(', ', 1)[-1]}): "
              "compare rows, and believe no ratio whose interval reaches across 1."]
    return "\n".join(lines)


def main():
    result = json.loads((RESULTS / "cost.json").read_text(encoding="utf-8"))
    chart(result, RESULTS / "cost.svg")
    page = HERE.parents[2] / "docs/pytorch.md"
    text = page.read_text(encoding="utf-8")
    head, tail = text.split(BEGIN)[0], text.split(END)[1]
    page.write_text(f"{head}{BEGIN}\n\n![Time, in multiples of plain PyTorch]"
                    f"(../integrations/pytorch/results/cost.svg)\n\n{table(result)}\n\n{END}{tail}",
                    encoding="utf-8")


if __name__ == "__main__":
    main()
