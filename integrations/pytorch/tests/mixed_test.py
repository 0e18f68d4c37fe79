#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""All pairs of peers: without the library and in each of its modes. Each calls each and itself.

Usage: mixed_test.py LIBGRADTAIL_PYTORCH.SO
"""
import json
import pathlib
import sys

import workers

PLAIN = "Wrong payload sizes"  # what PyTorch itself says of a trailer
ONLY = "an RPC without a trailer, and GRADTAIL_PYTORCH=only takes no other"
# By who calls, in the order of workers.WAYS for who is called. None: works.
EXPECTED = {
    "none": [None, None, PLAIN, ONLY],
    "read": [None, None, None, ONLY],
    "write": [PLAIN, None, None, None],
    "only": [PLAIN, ONLY, None, None],
}


def product(a, b):
    return a * b


def one_pass(rpc, peer):
    """A forward and a backward pass through the peer: a builtin, Python, a remote reference."""
    import torch
    from torch.distributed import autograd
    with autograd.context() as context:
        a = torch.tensor([2.0, 3.0], requires_grad=True)
        b = torch.tensor([5.0, 7.0], requires_grad=True)
        c = rpc.rpc_sync(peer, torch.add, args=(a, b))
        d = rpc.rpc_sync(peer, product, args=(c, b))
        e = rpc.remote(peer, torch.mul, args=(d, a)).to_here()
        autograd.backward(context, [e.sum()])
        gradients = autograd.get_gradients(context)
        # e = (a + b) b a
        assert torch.equal(gradients[a], 2 * a * b + b * b), gradients
        assert torch.equal(gradients[b], a * a + 2 * a * b), gradients


def worker(rank, size, store):
    rpc = workers.join(workers.WAYS[rank], rank, size, store)
    said = []
    for peer in workers.WAYS:
        try:
            one_pass(rpc, peer)
            said.append(None)
        except RuntimeError as error:
            said.append(str(error))
    rpc.shutdown()
    print(json.dumps(said))


def main(library):
    failed = 0
    results = workers.run(__file__, workers.WAYS, pathlib.Path(library).resolve())
    for caller, said in zip(workers.WAYS, results):
        for callee, error, expected in zip(workers.WAYS, said, EXPECTED[caller]):
            right = error == expected if expected is None else error and expected in error
            failed += not right
            print(f"{'ok' if right else 'FAILED'}: {caller} calls {callee}:",
                  "works" if error is None else f"refused: {error.strip().splitlines()[0]}")
            if not right and error:
                print(error)
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) == 2:
        sys.exit(main(sys.argv[1]))
    worker(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
