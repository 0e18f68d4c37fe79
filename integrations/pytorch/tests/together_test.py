#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Together with other things that people preload and launch with: allocators, torchrun, spawned and
other child processes.

Usage: together_test.py LIBGRADTAIL_PYTORCH.SO
"""
import ctypes.util
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

from workers import command as run

LIBRARY = pathlib.Path(sys.argv.pop(1)).resolve()
LAUNCHER = LIBRARY.with_name("gradtail-pytorch")
# Debian's PyTorch has no libuv, and can't share torchrun's store.
TORCHRUN = {"USE_LIBUV": "0", "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
WORKER = '''
import os, sys
import torch
from torch.distributed import autograd, rpc

def work(rank, store):
    options = rpc.TensorPipeRpcBackendOptions(init_method="file://" + store)
    rpc.init_rpc(f"worker{rank}", rank=rank, world_size=2, rpc_backend_options=options)
    with autograd.context() as context:
        a = torch.ones(2, requires_grad=True)
        squared = rpc.rpc_sync(f"worker{1 - rank}", torch.mul, args=(a, a))
        autograd.backward(context, [squared.sum()])
        assert autograd.get_gradients(context)[a].tolist() == [2, 2]
    rpc.shutdown()
'''
BY_TORCHRUN = WORKER + '''
work(int(os.environ["RANK"]), sys.argv[1])
'''
BY_SPAWN = WORKER + '''
if __name__ == "__main__":
    torch.multiprocessing.spawn(work, args=(sys.argv[1],), nprocs=2)
'''
BY_CHILDREN = WORKER + '''
import subprocess
if len(sys.argv) == 3:
    work(int(sys.argv[2]), sys.argv[1])
else:
    children = [subprocess.Popen([sys.executable, "-W", "ignore", *sys.argv, str(rank)])
                for rank in range(2)]
    sys.exit(any([child.wait() for child in children]))
'''
# Of each worker's pass: a call and its answer, gradients there and back, a cleanup there and back.
TRAILERS = 2 * 6


def allocator(name):
    """The path of a shared library, or None."""
    found = ctypes.util.find_library(name)
    if found is None:
        return None
    listed = subprocess.run(["/sbin/ldconfig", "-p"], text=True, stdout=subprocess.PIPE,
                            check=False).stdout
    paths = re.findall(rf"{re.escape(found)} .*=> (\S+)", listed)
    return paths[0] if paths else None


class Together(unittest.TestCase):
    def trains(self, source, command=(sys.executable, "-W", "ignore"), arguments=(), **variables):
        with tempfile.TemporaryDirectory() as made:
            folder = pathlib.Path(made)
            script = folder / "script.py"
            script.write_text(source)
            status, said = run(LAUNCHER, "--mode", "only", "--count", *command,
                               *(argument.format(folder=folder) for argument in arguments), script,
                               folder / "store", **variables)
        self.assertEqual(status, 0, said)
        self.assertIn(f"{TRAILERS} trailers sent, {TRAILERS} received; 0 pickles sent, 0 received",
                      said)

    def test_child_processes(self):
        self.trains(BY_CHILDREN)

    def test_multiprocessing_spawn(self):
        self.trains(BY_SPAWN)

    def test_torchrun(self):
        self.trains(BY_TORCHRUN, (sys.executable, "-W", "ignore", "-m", "torch.distributed.run"),
                    ("--nproc-per-node=2", "--rdzv-backend=c10d", "--rdzv-conf=store_type=file",
                     "--rdzv-endpoint={folder}/rendezvous"), **TORCHRUN)

    def test_an_allocator_that_is_preloaded_too(self):
        jemalloc = allocator("jemalloc")
        if jemalloc is None:
            self.skipTest("libjemalloc2 is not installed")
        self.trains(BY_CHILDREN, LD_PRELOAD=jemalloc)  # after gradtail's library
        self.trains(BY_CHILDREN, ("env", f"LD_PRELOAD={jemalloc}:{LIBRARY}", sys.executable, "-W",
                                  "ignore"))

    def test_a_library_that_is_not_there(self):
        """The loader complains of it, and the command runs all the same."""
        self.trains(BY_CHILDREN, LD_PRELOAD="/no/such/library.so")


if __name__ == "__main__":
    unittest.main()
