#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Backward passes over two workers give the same gradients in every mode, to the last bit.

Usage: gradients_test.py LIBGRADTAIL_PYTORCH.SO

The cases are those where gradients are unusual on the wire: the same tensor twice, undefined, sparse,
empty, of other types and shapes, and the ways to begin a backward pass.
"""
import unittest

import workers

PEER = "worker1"


def two(tensor):
    return tensor * 2, tensor * 3


def embed(weight, indices):
    import torch
    return torch.nn.functional.embedding(indices, weight, sparse=True).sum(0)


def squared(tensor):
    return (tensor * tensor).sum()


def deep(tensor, depth):
    """Goes back and forth between the workers."""
    from torch.distributed import rpc
    if depth == 0:
        return tensor.sin()
    here = rpc.get_worker_info().name
    return rpc.rpc_sync(PEER if here == "worker0" else "worker0", deep, args=(tensor, depth - 1))


def leaf(*shape, dtype=None):
    import torch
    size = int(torch.tensor(shape).prod()) if shape else 1
    return torch.linspace(-1, 2, size, dtype=dtype).reshape(shape).requires_grad_()


def passes(rpc):
    """Name, inputs and the function of a loss."""
    import torch

    def call(function, *args):
        return rpc.rpc_sync(PEER, function, args=args)

    yield "one gradient", [leaf(4)], lambda a: call(squared, a)
    yield "the same gradient twice", [leaf(4)], lambda a: sum(call(two, a)).sum()
    yield "an undefined gradient", [leaf(4)], lambda a: call(two, a)[1].sum()
    yield "a sparse gradient", [leaf(5, 3)], lambda a: call(embed, a, torch.tensor([1, 3])).sum()
    yield "sparse and dense", [leaf(5, 3), leaf(3)], (
        lambda a, b: (call(embed, a, torch.tensor([1, 3])) * call(torch.sin, b)).sum())
    yield "an empty gradient", [leaf(0, 3), leaf(2)], (
        lambda a, b: call(torch.sin, a).sum() + call(squared, b))
    yield "a scalar", [leaf()], lambda a: call(torch.exp, a)
    yield "double precision", [leaf(3, dtype=torch.double)], lambda a: call(squared, a)
    yield "half precision", [leaf(3, dtype=torch.bfloat16)], lambda a: call(squared, a)
    yield "a transposed input", [leaf(3, 4)], lambda a: call(torch.sin, a.t()).sum()
    yield "an input twice", [leaf(4)], lambda a: call(torch.mul, a, a).sum()
    yield "a megabyte", [leaf(1 << 18)], lambda a: call(squared, a)
    yield "many calls", [leaf(4)], lambda a: sum(call(squared, a * i) for i in range(20))
    yield "back and forth", [leaf(4)], lambda a: call(deep, a, 4).sum()
    yield "a remote reference", [leaf(4)], (
        lambda a: rpc.remote(PEER, two, args=(a,)).to_here()[0].sum())


def listed(gradients, inputs):
    return [gradients[tensor].to_dense().double().tolist() if tensor in gradients else None
            for tensor in inputs]


def loss_of(rpc, tensor):
    return rpc.remote(PEER, squared, args=(tensor,))


def results(rpc):
    from torch.distributed import autograd
    said = {}
    for name, inputs, function in passes(rpc):
        for retain in (False, True):
            with autograd.context() as context:
                loss = function(*inputs)
                autograd.backward(context, [loss], retain_graph=retain)
                if retain:
                    autograd.backward(context, [loss])
                said[f"{name}, {'retained' if retain else 'once'}"] = listed(
                    autograd.get_gradients(context), inputs)
    tensor = leaf(4)
    for retain in (False, True):
        with autograd.context() as context:
            loss = loss_of(rpc, tensor)
            loss.backward(context, retain_graph=retain)
            if retain:
                loss.backward(context)
            said[f"RRef.backward, {retain}"] = listed(autograd.get_gradients(context), [tensor])
    return said


def worker(rank, size, store):
    rpc = workers.join(f"worker{rank}", rank, size, store)
    said = results(rpc) if rank == 0 else None
    rpc.shutdown()
    return said, workers.counts()


class Gradients(unittest.TestCase):
    maxDiff = None

    def test_every_mode_gives_those_of_plain_pytorch(self):
        plain = None
        for way in workers.WAYS:
            (said, mine), (_, theirs) = workers.run(__file__, [way, way], *self.files)
            plain = plain or said
            with self.subTest(way):
                self.assertEqual(said, plain)
                trailers, received, pickles, read, _ = (a + b for a, b in zip(mine, theirs))
                self.assertEqual((trailers, pickles), (received, read))
                expected = {"none": (False, False), "read": (False, True)}.get(way, (True, False))
                self.assertEqual((trailers > 0, pickles > 0), expected)


if __name__ == "__main__":
    workers.main(worker, Gradients)
