# SPDX-License-Identifier: Apache-2.0
"""PyTorch's own test cases for RPC, as classes of this module: spawned processes import it to find
them."""
import os
import pathlib
import unittest

import torch
import torch.testing._internal.distributed.rpc_utils as suites

# Loading the faulty agent breaks tests of the other one, so a process has the cases of one of them.
FAULTY = os.environ.get("SUITES_AGENT") == "faulty"
if FAULTY:
    from torch.testing._internal.distributed.rpc.faulty_rpc_agent_test_fixture import (
        FaultyRpcAgentTestFixture as Fixture)
else:
    from torch.testing._internal.distributed.rpc.tensorpipe_rpc_agent_test_fixture import (
        TensorPipeRpcAgentTestFixture as Fixture)

# Forked processes start sooner, but a process that has loaded PyTorch may have set up the GPU, and
# then its children can't. Each test asks how many GPUs it has.
START = os.environ.get("SUITES_START") or (
    "spawn" if pathlib.Path("/dev/nvidiactl").exists() or pathlib.Path("/dev/kfd").exists() else "fork")


def _start(case):
    case._start_processes(torch.multiprocessing.get_context(START).Process)


suites.SpawnHelper._spawn_processes = _start
CLASSES = suites.generate_tests("", Fixture, suites.FAULTY_AGENT_TESTS if FAULTY else [
    *suites.GENERIC_TESTS, *suites.TENSORPIPE_TESTS, *suites.GENERIC_CUDA_TESTS,
    *suites.TENSORPIPE_CUDA_TESTS], __name__)
globals().update(CLASSES)


def by_name():
    """Every test case, by class and method."""
    load = unittest.defaultTestLoader.loadTestsFromTestCase
    return {f"{name}.{case._testMethodName}": case
            for name, kind in CLASSES.items() for case in load(kind)}
