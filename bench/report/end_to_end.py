# SPDX-License-Identifier: Apache-2.0
"""What metadata costs from end to end: requests between two processes, each way in turn."""
import pathlib
import statistics
import subprocess

from report.measure import say

WAYS = ["no metadata", "64 zeros", "gradtail", "pickled tuple"]
REQUESTS = 50_000


def median_with_interval(values):
    """The median and its 95 % confidence interval, by the order of the values alone."""
    values = sorted(values)
    reach = round(0.98 * len(values) ** 0.5)
    middle = len(values) // 2
    return [statistics.median(values), values[max(middle - reach, 0)],
            values[min(middle + reach, len(values) - 1)]]


def summary(size, name, samples, base):
    """Of one way: samples are (ns, caller's CPU ns, server's CPU ns), base those of no metadata."""
    times = [sample[0] for sample in samples]
    line = {"payload": size, "way": name, "requests": len(times),
            "median ns": statistics.median(times),
            "p99 ns": statistics.quantiles(times, n=100)[98],
            "caller CPU ns": statistics.median(sample[1] for sample in samples),
            "server CPU ns": statistics.median(sample[2] for sample in samples)}
    if samples is not base:
        more = [time - other[0] for time, other in zip(times, base)]
        cpu = [sum(sample[1:]) - sum(other[1:]) for sample, other in zip(samples, base)]
        line["more ns"] = median_with_interval(more)
        line["more CPU ns"] = median_with_interval(cpu)
    return line


def evaluate(text):
    """Lines of `end_to_end`: payload size, then three numbers for each way."""
    rounds = {}
    for line in text.splitlines():
        size, *numbers = map(int, line.split())
        rounds.setdefault(size, []).append([numbers[i:i + 3] for i in range(0, len(numbers), 3)])
    lines = []
    for size, samples in rounds.items():
        by_way = list(zip(*samples))
        lines += [summary(size, name, by_way[i], by_way[0]) for i, name in enumerate(WAYS)]
    return lines


def measure_end_to_end(results, build, requests=REQUESTS):
    program = pathlib.Path(build, "bench/end_to_end")
    if not program.exists():
        say("no requests from end to end: they need libtorch-dev")
        return
    say(f"sending {requests} requests of each kind from end to end")
    done = subprocess.run([str(program), "--requests", str(requests)], check=True,
                          stdout=subprocess.PIPE, text=True)
    results.end_to_end = evaluate(done.stdout)


def microseconds(value):
    return f"{value / 1000:.1f} us"


def interval(values):
    middle, low, high = (value / 1000 for value in values)
    return f"{middle:+.2f} us ({low:+.2f} to {high:+.2f})"


def size_name(size):
    return f"{size >> 20} MiB" if size >= 1 << 20 else f"{size >> 10} KiB"


def table_lines(lines):
    yield ["payload", "way", "median", "p99", "CPU, caller + server", "more time (95 %)",
           "more CPU (95 %)"]
    for line in lines:
        yield [size_name(line["payload"]), line["way"], microseconds(line["median ns"]),
               microseconds(line["p99 ns"]),
               f"{line['caller CPU ns'] / 1000:.1f} + {line['server CPU ns'] / 1000:.1f} us",
               *(interval(line[key]) if key in line else "" for key in ("more ns", "more CPU ns"))]


def chart_groups(lines):
    """Medians as multiples of no metadata, a group for each way, a bar for each payload."""
    base = {line["payload"]: line["median ns"] for line in lines if line["way"] == WAYS[0]}
    kinds = dict(zip(base, ["write", "read"]))
    groups = [(way, [(line["median ns"] / base[line["payload"]], kinds[line["payload"]],
                      microseconds(line["median ns"])) for line in lines if line["way"] == way])
              for way in WAYS]
    return groups, [(kind, size_name(size)) for size, kind in kinds.items()]
