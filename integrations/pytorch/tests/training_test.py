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
import unittest

import workers

CLUSTERS = [["none"] * 3, ["write"] * 3, ["none", "read", "read"], ["read", "write", "write"]]


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


class Training(unittest.TestCase):
    def train(self, scenarios, expected=None, killed=()):
        """Every cluster gives the expected results, or those of the first one."""
        for cluster in CLUSTERS:
            said = workers.run(__file__, cluster, *self.files, *scenarios, killed=killed)
            results = [one and one[0] for one in said]
            trailers = sum(one[1] for one in said if one)
            expected = expected or results
            with self.subTest(", ".join(cluster)):
                self.assertEqual(results, expected)
                self.assertEqual(trailers > 0, "write" in cluster)

    def test_losses_and_gradients_are_the_same(self):
        self.train(["pipeline", "parameter_server", "references"])

    def test_a_killed_worker_is_an_error_and_the_others_go_on(self):
        self.train(["killed"], [[[[4, 4], "an error", "an error", [4, 4]]], None, None], killed={2})


if __name__ == "__main__":
    workers.main(worker, Training)
