#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What RPCs with autograd and training steps cost: time and allocations.

Three pairs of workers take turns, so that all see the same machine: plain PyTorch, trailers on calls
alone, and trailers on all kinds of messages. A pair may be slow for many rounds, by where the system
has placed its processes: so each block of rounds has new pairs, and the interval resamples blocks.
In "call", "in flight" and "16 MiB" calls and all do the same: their ratio must be 1.
"""
import argparse
import contextlib
import ctypes
import itertools
import json
import os
import pathlib
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
import warnings

JOBS = {  # name: (operations in a turn, what one is)
    "call": (60, "torch.add of two tensors of 3 x 3"),
    "in flight": (80, "the same, 8 in flight"),
    "step": (20, "training step: remote layer, loss, backward pass, optimizer"),
    "server": (20, "training step with a parameter server"),
    "16 MiB": (3, "Python call with 16 MiB of bytes and a small tensor"),
}
# As GRADTAIL_PYTORCH says it; None is PyTorch without the library.
WAYS = {"plain": None, "calls": "write,gradients=read,cleanup=read,rref_backward=read",
        "all": "write"}
PAIRS = [("calls", "plain"), ("all", "plain"), ("all", "calls")]
BLOCK = 5  # rounds of the same pairs


def take(blob, tensor):
    return tensor + len(blob) % 2


class Layer:
    """A layer of a model, on the server."""

    def __init__(self):
        import torch
        torch.manual_seed(1)
        self.linear = torch.nn.Linear(8, 1)

    def forward(self, inputs):
        return self.linear(inputs)

    def parameters(self):
        from torch.distributed import rpc
        return [rpc.RRef(parameter) for parameter in self.linear.parameters()]


layer = None


def serve(inputs):
    global layer
    layer = layer or Layer()
    return layer.forward(inputs)


def apply_gradients(context):
    import torch
    from torch.distributed import autograd
    gradients = autograd.get_gradients(context)
    with torch.no_grad():
        for parameter in layer.linear.parameters():
            parameter -= 0.001 * gradients[parameter]


def calls(rpc, function, arguments, in_flight=1):
    """Times each call, or each batch of calls as one operation's share of it."""
    from torch.distributed import autograd
    with autograd.context():
        while True:
            start = time.perf_counter_ns()
            for future in [rpc.rpc_async("server", function, args=arguments)
                           for _ in range(in_flight)]:
                future.wait()
            for _ in range(in_flight):
                yield (time.perf_counter_ns() - start) / in_flight


def steps(rpc, with_server):
    """Times training steps."""
    import torch
    from torch.distributed import autograd
    from torch.distributed.optim import DistributedOptimizer
    inputs, target = torch.ones(4, 8), torch.zeros(4, 1)
    if not with_server:
        remote = rpc.remote("server", Layer)
        optimizer = DistributedOptimizer(torch.optim.SGD, remote.rpc_sync().parameters(), lr=0.001)
    while True:
        start = time.perf_counter_ns()
        with autograd.context() as context:
            output = (rpc.rpc_sync("server", serve, args=(inputs,)) if with_server
                      else remote.rpc_sync().forward(inputs))
            autograd.backward(context, [torch.nn.functional.mse_loss(output, target)])
            if with_server:
                rpc.rpc_sync("server", apply_gradients, args=(context,))
            else:
                optimizer.step(context)
        yield time.perf_counter_ns() - start


def operations(rpc, job):
    """An endless row of the job's times, in nanoseconds."""
    import torch
    a, b = (torch.ones(3, 3, requires_grad=True) for _ in range(2))
    return {"call": lambda: calls(rpc, torch.add, (a, b)),
            "in flight": lambda: calls(rpc, torch.add, (a, b), 8),
            "step": lambda: steps(rpc, False),
            "server": lambda: steps(rpc, True),
            "16 MiB": lambda: calls(rpc, take, (bytes(16 << 20), a))}[job]()


def allocated():
    """Allocations and bytes of this process so far, where they are counted."""
    counted = ctypes.CDLL(None).counted_allocations
    counted.restype = ctypes.POINTER(ctypes.c_uint64)
    return counted()[:2]


def turn(rpc, job, counting):
    """One turn: the median time of its operations, and what both workers allocated for each."""
    number = JOBS[job][0]
    both = [lambda call: call(), lambda call: rpc.rpc_sync("server", call)]
    times = operations(rpc, job)
    for _ in range(8):
        next(times)
    before = [where(allocated) for where in both] if counting else None
    said = {"time": statistics.median(next(times) for _ in range(number)) / 1000}
    after = [where(allocated) for where in both] if counting else None
    times.close()
    if counting:
        spent = [[b - a for a, b in zip(*pair)] for pair in zip(before, after)]
        said["allocations"] = sum(allocations for allocations, _ in spent) / number
        said["bytes"] = sum(size for _, size in spent) / number
    return said


def worker(rank, store, counting):
    from torch.distributed import rpc
    warnings.showwarning = lambda *_, **__: None  # PyTorch turns some on that -W ignore turns off
    options = rpc.TensorPipeRpcBackendOptions(init_method=f"file://{store}", num_worker_threads=4)
    rpc.init_rpc(["client", "server"][rank], rank=rank, world_size=2, rpc_backend_options=options)
    if rank == 0:
        for job in sys.stdin:
            print(json.dumps(turn(rpc, job.strip(), counting)), flush=True)
    rpc.shutdown()


class Pair:
    """Two workers that call each other, in processes of their own."""

    def __init__(self, library, folder, way, counter=None):
        preload = [str(path) for path in (WAYS[way] and library, counter) if path]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "LD_PRELOAD": ":".join(preload),
                       "GRADTAIL_PYTORCH": WAYS[way] or "write"}
        name = f"{way}-counted" if counter else way
        self.processes = [subprocess.Popen(
            [sys.executable, "-W", "ignore", __file__, "--worker", str(rank), str(folder / name),
             *(["--counting"] if counter else [])], env=environment, text=True,
            stdin=subprocess.PIPE if rank == 0 else subprocess.DEVNULL,
            stdout=subprocess.PIPE if rank == 0 else subprocess.DEVNULL) for rank in range(2)]

    def turn(self, job):
        client = self.processes[0]
        client.stdin.write(job + "\n")
        client.stdin.flush()
        return json.loads(client.stdout.readline())

    def end(self):
        self.processes[0].stdin.close()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def interval(ratios):
    """The median of the rounds' ratios, and its 95 % confidence interval by resampling blocks."""
    blocks = [ratios[i:i + BLOCK] for i in range(0, len(ratios), BLOCK)]
    chance = random.Random(1)
    medians = sorted(statistics.median(itertools.chain(*chance.choices(blocks, k=len(blocks))))
                     for _ in range(4000))
    return [statistics.median(ratios), medians[100], medians[-101]]


@contextlib.contextmanager
def running(library, ways, counter=None):
    """A pair of workers for each of the ways."""
    pairs = {}
    with tempfile.TemporaryDirectory() as folder:
        try:
            for way in ways:
                pairs[way] = Pair(library, pathlib.Path(folder), way, counter)
            yield pairs
        finally:
            for pair in pairs.values():
                pair.end()


def measure(library, counter, rounds):
    result = {job: {way: {} for way in WAYS} for job in JOBS}
    turns = {job: {way: [] for way in WAYS} for job in JOBS}
    for first in range(0, rounds, BLOCK):
        with running(library, WAYS) as pairs:
            for number in range(min(BLOCK, rounds - first) + 1):
                for job in JOBS:
                    for way in random.sample(list(WAYS), len(WAYS)):
                        said = pairs[way].turn(job)
                        if number:  # the first warms up
                            turns[job][way].append(said["time"])
            print(f"round {first + number} of {rounds}", file=sys.stderr)
    with running(library, WAYS, counter) as pairs:
        for way in WAYS:
            for job in JOBS:
                said = pairs[way].turn(job)
                result[job][way].update(allocations=said["allocations"], bytes=said["bytes"])
    for job, ways in turns.items():
        for way, times in ways.items():
            result[job][way].update(time_us=statistics.median(times),
                                    time_us_of_turns=[round(time, 1) for time in times])
        result[job]["time_ratios"] = {f"{new} / {old}": interval(
            [b / a for a, b in zip(ways[old], ways[new])]) for new, old in PAIRS}
    return result


def about(rounds):
    import torch
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo", encoding="utf-8")
                  if line.startswith("model name")), platform.machine())
    return {"machine": f"{model}, {os.cpu_count()} cores", "pytorch": torch.__version__,
            "python": platform.python_version(), "rounds": rounds,
            "load": [round(load, 1) for load in os.getloadavg()],
            "date": time.strftime("%Y-%m-%d")}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--library", type=pathlib.Path, help="libgradtail_pytorch.so")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--result", type=pathlib.Path, help="file for the numbers, as JSON")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--counting", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        return worker(int(options.worker[0]), options.worker[1], options.counting)
    if not options.library or not options.library.exists():
        parser.error("--library must name a built libgradtail_pytorch.so")
    library = options.library.resolve()
    counter = library.parent / "libcount_allocations.so"
    result = {"about": about(options.rounds), **measure(library, counter, options.rounds)}
    if options.result:
        options.result.write_text(json.dumps(result) + "\n")
    for job, (_, words) in JOBS.items():
        print(f"{job}: {words}")
        for way in WAYS:
            row = result[job][way]
            print(f"  {way}: {row['time_us']:.0f} us, {row['allocations']:.0f} allocations of "
                  f"{row['bytes'] / 2**20:.3f} MiB")
        for pair, ratio in result[job]["time_ratios"].items():
            print("  {}: {:.3f} ({:.3f} to {:.3f})".format(pair, *ratio))
    return 0


if __name__ == "__main__":
    sys.exit(main())
