#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""All pairs of peers: without the library, in each of its modes, and in a rolling upgrade from an
older release. Each calls each and itself.

Usage: mixed_test.py LIBGRADTAIL_PYTORCH.SO

The older release knows trailers of calls alone, in the library libgradtail_pytorch_older.so. A newer
one beside it turns its other kinds off ("step"), until the older one is gone.
"""
import time
import unittest

import workers

STEP = "write,gradients=read,cleanup=read,rref_backward=read"
WAYS = ["none", "read", "write", "only", "older", STEP]
PLAIN = "Wrong payload sizes"  # what PyTorch says of a call's trailer
UNPICKLED = "Expected PROTO opcode"  # what PyTorch says of the trailer of another message
ONLY = "an RPC without a trailer, and GRADTAIL_PYTORCH=only takes no other"
ONLY_GRADIENTS = ("a message with gradients without a trailer, and GRADTAIL_PYTORCH=only takes no "
                  "other")
# By who calls, in the order of WAYS for who is called. None: works.
EXPECTED = {
    "none": [None, None, PLAIN, ONLY, PLAIN, PLAIN],
    "read": [None, None, None, ONLY, None, None],
    "write": [PLAIN, None, None, None, UNPICKLED, None],
    "only": [PLAIN, ONLY, None, None, UNPICKLED, ONLY_GRADIENTS],
    "older": [PLAIN, None, UNPICKLED, ONLY_GRADIENTS, None, None],
    STEP: [PLAIN, None, None, ONLY_GRADIENTS, None, None],
}


def product(a, b):
    return a * b


def contexts():
    """How many autograd contexts this worker has."""
    from torch.distributed import autograd
    return int(autograd._get_debug_info()["num_autograd_contexts"])


def one_pass(rpc, peer):
    """A forward and a backward pass through the peer: a builtin, Python, a remote reference."""
    import torch
    from torch.distributed import autograd
    a = torch.tensor([2.0, 3.0], requires_grad=True)
    b = torch.tensor([5.0, 7.0], requires_grad=True)
    with autograd.context() as context:
        c = rpc.rpc_sync(peer, torch.add, args=(a, b))
        d = rpc.rpc_sync(peer, product, args=(c, b))
        e = rpc.remote(peer, torch.mul, args=(d, a)).to_here()
        autograd.backward(context, [e.sum()])
        gradients = autograd.get_gradients(context)
        # e = (a + b) b a
        assert torch.equal(gradients[a], 2 * a * b + b * b), gradients
        assert torch.equal(gradients[b], a * a + 2 * a * b), gradients
    with autograd.context() as context:
        rpc.remote(peer, torch.dot, args=(a, b)).backward(context)
        assert torch.equal(autograd.get_gradients(context)[a], b)


def cleaned_up(rpc, peer, before):
    """Whether the peer drops the contexts of a pass; cleanups arrive after it."""
    for _ in range(100):
        if rpc.rpc_sync(peer, contexts) <= before:
            return True
        time.sleep(0.05)
    return False


def worker(rank, size, store):
    rpc = workers.join(str(rank), rank, size, store)
    said = []
    for turn in range(size):  # one caller at a time: each counts contexts
        rpc.api._all_gather(None)
        if turn != rank:
            continue
        for peer, expected in enumerate(EXPECTED[WAYS[rank]]):
            before = rpc.rpc_sync(str(peer), contexts)  # a refused cleanup leaves its context
            try:
                one_pass(rpc, str(peer))
                clean = expected or cleaned_up(rpc, str(peer), before)
                said.append(None if clean else "contexts leak")
            except RuntimeError as error:
                said.append(str(error))
    rpc.shutdown()
    return said


class Mixed(unittest.TestCase):
    def test_each_calls_each(self):
        library, = self.files
        results = workers.run(__file__, WAYS, library, libraries={
            "older": library.with_name("libgradtail_pytorch_older.so")})
        for caller, said in zip(WAYS, results):
            for callee, error, expected in zip(WAYS, said, EXPECTED[caller]):
                with self.subTest(f"{caller} calls {callee}"):
                    if expected is None:
                        self.assertIsNone(error)
                    else:
                        self.assertIn(expected, error or "works")


if __name__ == "__main__":
    workers.main(worker, Mixed)
