# SPDX-License-Identifier: Apache-2.0
"""Bar charts as SVG files, the same bytes for the same numbers."""
import matplotlib
from matplotlib import pyplot
from matplotlib.ticker import NullLocator

matplotlib.rcParams.update({
    "svg.fonttype": "none", "svg.hashsalt": "gradtail", "font.size": 10, "axes.axisbelow": True,
    "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"], "axes.titlelocation": "left",
    "axes.titleweight": "bold", "axes.titlesize": 10.5, "axes.spines.top": False,
    "axes.spines.right": False, "axes.spines.bottom": False, "xtick.bottom": False,
    "ytick.left": False})
COLORS = ["#2f6feb", "#1a7f5a", "#9a6700"]


def draw_panel(axes, title, unit, groups, logarithmic):
    series = list(dict.fromkeys(name for _, bars in groups for name, _, _ in bars))
    places, labels, y = [], [], 0.0
    for label, bars in groups:
        places.append(y + (len(bars) - 1) / 2)
        labels.append(label)
        for name, value, text in bars:
            drawn = axes.barh(y, value, 0.9, color=COLORS[series.index(name)])
            axes.bar_label(drawn, [text], padding=4, fontsize=9)
            y += 1
        y += 0.7
    axes.set_title(title)
    axes.set_xlabel(unit)
    axes.set_xscale("log" if logarithmic else "linear")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_yticks(places, labels)
    axes.grid(axis="x", color="#d0d7de")
    axes.invert_yaxis()
    axes.margins(x=0.14)
    if len(series) > 1:
        axes.legend([pyplot.Rectangle((0, 0), 1, 1, color=color) for color in COLORS], series,
                    loc="lower right", bbox_to_anchor=(1, 1), ncols=len(series), frameon=False,
                    fontsize=9)


def draw(path, *panels):
    """Draws panels (title, unit, [(label, [(series, value, text)])], logarithmic) in a column."""
    heights = [sum(len(bars) + 0.7 for _, bars in groups) + 5 for _, _, groups, _ in panels]
    figure, axes = pyplot.subplots(len(panels), 1, figsize=(8, sum(heights) * 0.2), squeeze=False,
                                   layout="constrained", height_ratios=heights)
    for each, panel in zip(axes[:, 0], panels):
        draw_panel(each, *panel)
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    pyplot.close(figure)
