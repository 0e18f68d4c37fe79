#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Training (training.py) on three workers, plain, preloaded and mixed: the same losses and sums of
gradients, to the last bit.

Usage: training_test.py LIBGRADTAIL_PYTORCH.SO

That can be compared because these trainings add gradients up in one order. A pipeline whose
micro-batches come back in any order differs from run to run in plain PyTorch too.
"""
import json
import os
import pathlib
import sys

import workers

CLUSTERS = [["none"] * 3, ["write"] * 3, ["none", "read", "read"], ["read", "write", "write"]]
KILLED = [[[4, 4], "an error", "an error", [4, 4]], None, None]


def worker(rank, size, store, *scenarios):
    import training
    rpc = workers.join(training.name_of(rank), rank, size, store)
    said = []
    for scenario in scenarios:
        said.append(getattr(training, scenario)(rank))
        if scenario != "killed":
            rpc.api._all_gather(None)
    if "killed" not in scenarios:
        rpc.shutdown()
    trailers = sum(workers.counts()[:2])
    print(json.dumps([said, trailers]), flush=True)
    os._exit(0)  # with a dead peer there is no other way out


def results(scenarios, cluster, library):
    """What each worker said of each scenario, and the number of trailers of all workers."""
    killed = {2} if "killed" in scenarios else set()
    said = workers.run(__file__, cluster, library, *scenarios, killed=killed)
    by_scenario = zip(*(one[0] if one else [None] * len(scenarios) for one in said))
    return [list(row) for row in by_scenario], sum(one[1] for one in said if one)


def main(library):
    failed = 0
    for scenarios in (["pipeline", "parameter_server", "references"], ["killed"]):
        expected = [KILLED] if scenarios == ["killed"] else None
        for cluster in CLUSTERS:
            said, count = results(scenarios, cluster, library)
            expected = expected or said
            right = said == expected and (count > 0) == ("write" in cluster)
            failed += not right
            print(f"{'ok' if right else 'FAILED'}: {', '.join(scenarios)} on {', '.join(cluster)}: "
                  f"{count} trailers sent and received", flush=True)
            if not right:
                print(f"expected {expected}, got {said}")
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) == 2:
        sys.exit(main(pathlib.Path(sys.argv[1]).resolve()))
    worker(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
