#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a worker does with messages that no PyTorch would send, plain and preloaded.

Every bad message must end in an error that names the cause, and the worker must serve an honest one
afterwards.

Usage: hostile_test.py LIBGRADTAIL_PYTORCH.SO RAW_RPC.SO
"""
import ctypes
import re
import resource
import sys
import time
import unittest

import workers

VICTIM, ATTACKER = "victim", "attacker"
KINDS = ["forward", "gradients", "cleanup", "rref_backward"]
DEPTH = 1000  # of the nest that a plain worker gets, too; 8000 takes it seconds and gigabytes
NO_FORM = "ends neither in a trailer nor in PyTorch's pickled tuple"
STACK_TRACE = "frame #"  # takes 10 ms and more, and tells addresses
# What an honest message gets. Gradients name a context, or a message in it, that the victim doesn't
# have, and PyTorch says so.
HONEST = {"forward": None, "gradients": "id: 281474976710656", "cleanup": None, "rref_backward": None}
# Kind of message, fault, its number, what a preloaded worker answers (None: accepts it).
CASES = [
    ("forward", "trailer-nest", 4, None),
    ("forward", "trailer-nest", 5, "more than 4 wrappings"),
    ("forward", "trailer-nest", 8000, "more than 4 wrappings"),
    ("forward", "tuple-nest", 4, None),
    ("forward", "tuple-nest", 5, "more than 4 wrappings"),
    ("forward", "worker", 70000, "worker 70000"),
    ("forward", "worker", 32768, "worker 32768"),
    ("forward", "worker", 32767, None),
    ("forward", "worker", -1, "lacks its from_worker_id"),
    ("forward", "context", -1, "lacks its context_id"),
    ("forward", "message", -1, "lacks its message_id"),
    ("forward", "type", 0, "lacks its wrapped_message_type"),
    ("forward", "type", 1, "not supported"),
    ("forward", "type", 0x400, "wrapped_message_type 1024"),
    ("forward", "type", 0x3ff, "not supported"),
    ("forward", "device", 63, "device type 63"),
    ("forward", "empty", 0, "nothing before it"),
    ("forward", "first-cut", 0, "corrupt"),
    ("forward", "tuple-alone", 1, NO_FORM),
    ("gradients", "context", -1, "a message with gradients lacks its context_id"),
    ("gradients", "message", -1, "a message with gradients lacks its message_id"),
    ("gradients", "before", 1, "a message with gradients has 1 bytes before its trailer"),
    ("cleanup", "context", -1, "a cleanup of an autograd context lacks its context_id"),
    ("cleanup", "before", 9, "a cleanup of an autograd context has 9 bytes before its trailer"),
    ("rref_backward", "rref-worker", -1, "a backward call of an RRef lacks its rref_created_on"),
    ("rref_backward", "rref-worker", 32768, "worker 32768"),
    ("rref_backward", "rref-local", -1, "a backward call of an RRef lacks its rref_local_id"),
    ("rref_backward", "before", 100, "a backward call of an RRef has 100 bytes before its trailer"),
    *[(kind, "short", size, NO_FORM) for kind in KINDS for size in (0, 1, 2, 7, 8, 9)],
    *[(kind, "pickled", 0, HONEST[kind]) for kind in KINDS],
    *[(kind, "pickled-behind", size, NO_FORM) for kind in KINDS for size in (1, 9)],
    *[(kind, "pickled-before", 1, NO_FORM) for kind in KINDS[1:]],
]
# In bytes. An RRef's backward call outside of a distributed backward pass has no context id.
TRAILERS = {"forward": 64, "gradients": 56, "cleanup": 48, "rref_backward": 64}


def memory():
    """The most that this process has taken so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def leaf():
    import torch
    return torch.ones(1, requires_grad=True)


class Attacker:
    """Sends messages to the victim and shows how far it is."""

    def __init__(self, library):
        from torch.distributed import rpc
        self.library = ctypes.CDLL(library)
        self.library.raw_rpc.restype = ctypes.c_char_p
        self.library.raw_rpc.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p,
                                         ctypes.c_int64]
        self.library.raw_rpc_size.restype = ctypes.c_int64
        self.library.raw_rpc_rref.argtypes = [ctypes.c_int16, ctypes.c_int64]
        self.rref = rpc.remote(VICTIM, leaf)
        self.rref.to_here()
        created_on, local_id = re.findall(r"created_on=(\d+), local_id=(\d+)", str(self.rref))[0]
        self.library.raw_rpc_rref(int(created_on), int(local_id))

    def send(self, kind, fault, number=0):
        error = self.library.raw_rpc(0, kind.encode(), fault.encode(), number)
        return error.decode(errors="replace") if error else None

    def size(self, kind, fault):
        return self.library.raw_rpc_size(kind.encode(), fault.encode())

    def flips(self, kind, fault, bits):
        print(f"{kind}: flipping {len(bits)} bits", file=sys.stderr, flush=True)
        return [self.send(kind, fault, bit) for bit in bits]


def attack(attacker, plain, preloaded):
    """What the victim says to each case, and what the two known ones cost it."""
    from torch.distributed import rpc
    said = {"worker": attacker.send("forward", "tuple-worker", 70000)}
    before, start = rpc.rpc_sync(VICTIM, memory), time.monotonic()
    said["nest"] = attacker.send("forward", "tuple-nest", DEPTH)
    said["seconds"] = time.monotonic() - start
    said["mebibytes"] = rpc.rpc_sync(VICTIM, memory) - before
    said["pickles"] = {kind: attacker.send(kind, "pickled") for kind in KINDS}
    if plain:
        # One bit of each byte: PyTorch makes a stack trace for each error, which takes a while.
        said["pickled flips"] = {
            kind: attacker.flips(kind, "pickled-flip",
                                 range(0, 8 * attacker.size(kind, "pickled"), 8))
            for kind in ("gradients", "cleanup")}
        return said
    said["sizes"] = {kind: attacker.size(kind, "none") for kind in KINDS}
    said["honest"] = {kind: attacker.send(kind, "none") for kind in KINDS}
    if preloaded:
        said["cases"] = [attacker.send(*case[:3]) for case in CASES]
        said["flips"] = {kind: attacker.flips(kind, "flip", range(8 * size))
                         for kind, size in TRAILERS.items()}
        said["cuts"] = {kind: [attacker.send(kind, "cut", cut) for cut in range(1, size + 1)]
                        for kind, size in TRAILERS.items()}
        said["afterwards"] = {kind: attacker.send(kind, "none") for kind in KINDS}
    return said


def worker(rank, size, store, library, mode):
    rpc = workers.join([VICTIM, ATTACKER][rank], rank, size, store)
    said = attack(Attacker(library), mode == "none", mode == "write") if rank == 1 else None
    rpc.shutdown()
    return said


class Hostile(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.told = {}
        for way in ("none", "write", "only"):
            print(f"{way}: sending", file=sys.stderr, flush=True)
            cls.told[way] = workers.run(__file__, [way, "none"], *cls.files, way, show=[1])[1]

    def expect(self, error, expected):
        """The error says what is expected; None: the message is accepted."""
        if expected is None:
            self.assertIsNone(error)
        else:
            self.assertIn(expected, error or "accepted")

    def test_plain_pytorch_takes_bad_messages(self):
        """Why there are trailers."""
        said = self.told["none"]
        self.assertIsNone(said["worker"])
        self.assertIsNone(said["nest"])
        cleanups, gradients = (said["pickled flips"][kind] for kind in ("cleanup", "gradients"))
        accepted = cleanups.count(None)
        others = sum("Could not find autograd context" in (error or "")
                     and HONEST["gradients"] not in error for error in gradients)
        print(f"{accepted} of {len(cleanups)} damaged cleanups accepted; {others} of "
              f"{len(gradients)} damaged messages with gradients read as another context's")
        self.assertGreater(accepted, 0)

    def test_each_bad_message_has_its_answer(self):
        for (kind, fault, number, expected), error in zip(CASES, self.told["write"]["cases"]):
            with self.subTest(f"{kind} {fault} {number}"):
                self.expect(error, expected)

    def test_every_flip_and_cut_is_refused_without_a_stack_trace(self):
        for kind, size in TRAILERS.items():
            for damage, number in (("flips", 8 * size), ("cuts", size)):
                errors = self.told["write"][damage][kind]
                self.assertEqual(len(errors), number)
                for error in errors:
                    self.assertIn("gradtail: ", error or "accepted")
                    self.assertNotIn(STACK_TRACE, error)

    def test_honest_messages_are_served_before_and_after(self):
        for kind in KINDS:
            self.expect(self.told["write"]["afterwards"][kind], HONEST[kind])
            for way in ("write", "only"):
                self.expect(self.told[way]["honest"][kind], HONEST[kind])
                if kind != "forward":
                    self.assertEqual(self.told[way]["sizes"][kind], TRAILERS[kind])

    def test_a_deep_nest_costs_little(self):
        for way in ("write", "only"):
            self.assertLess(self.told[way]["seconds"], 5)
            self.assertLess(self.told[way]["mebibytes"], 100)

    def test_mode_only_takes_no_pickles(self):
        for error in self.told["only"]["pickles"].values():
            self.expect(error, "GRADTAIL_PYTORCH=only takes no other")


if __name__ == "__main__":
    workers.main(worker, Hostile)
