#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a worker does with messages that no PyTorch would send, plain and preloaded.

Every bad message must end in an error that names the cause, and the worker must serve an honest one
afterwards.
"""
import argparse
import ctypes
import json
import pathlib
import re
import resource
import sys
import time

import workers

VICTIM, ATTACKER = "victim", "attacker"
KINDS = ["forward", "gradients", "cleanup", "rref_backward"]
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


def attack(attacker, depth, plain, preloaded):
    """What the victim says to each case, and what the two known ones cost it."""
    from torch.distributed import rpc
    said = {"worker": attacker.send("forward", "tuple-worker", 70000)}
    before, start = rpc.rpc_sync(VICTIM, memory), time.monotonic()
    said["nest"] = attacker.send("forward", "tuple-nest", depth)
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


def worker(rank, size, store, library, depth, mode):
    rpc = workers.join([VICTIM, ATTACKER][rank], rank, size, store)
    if rank == 1:
        print(json.dumps(attack(Attacker(library), depth, mode == "none", mode == "write")))
    rpc.shutdown()


def first_line(error):
    return "accepted" if error is None else f"refused: {error.strip().splitlines()[0]}"


def agrees(error, expected):
    return error is None if expected is None else error is not None and expected in error


def check(said):
    """The names of the cases that went wrong."""
    for (kind, fault, number, expected), error in zip(CASES, said["cases"]):
        print(f"{kind} {fault} {number}: {first_line(error)}")
        if not agrees(error, expected):
            yield f"{kind} {fault} {number}"
    for kind in KINDS:
        for damage in ("flips", "cuts"):
            errors = said[damage][kind]
            refused = [error for error in errors
                       if error and "gradtail: " in error and STACK_TRACE not in error]
            print(f"{kind}: {len(refused)} of {len(errors)} {damage} refused")
            if len(refused) != len(errors) or not errors:
                yield f"{damage} of {kind}"
        if not agrees(said["afterwards"][kind], HONEST[kind]):
            yield f"an honest {kind} afterwards: {said['afterwards'][kind]}"


def check_plain(said):
    """What plain PyTorch makes of damaged pickles: why there are trailers."""
    if said["worker"] or said["nest"]:
        yield "PyTorch by itself takes both"
    cleanups = sum(error is None for error in said["pickled flips"]["cleanup"])
    print(f"none: {cleanups} of {len(said['pickled flips']['cleanup'])} damaged cleanups accepted")
    wrong = sum("Could not find autograd context" in (error or "")
                and HONEST["gradients"] not in error
                for error in said["pickled flips"]["gradients"])
    print(f"none: {wrong} of {len(said['pickled flips']['gradients'])} damaged messages with "
          "gradients read as another context's")
    if not cleanups:
        yield "PyTorch by itself takes damaged cleanups"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", type=pathlib.Path, help="libgradtail_pytorch.so")
    parser.add_argument("raw_rpc", type=pathlib.Path, help="libraw_rpc.so")
    parser.add_argument("--depth", type=int, default=1000,
                        help="how deep the nest is that a plain worker gets too (1000); 8000 takes "
                             "seconds and gigabytes")
    options = parser.parse_args()
    told = {}
    for way in ("none", "write", "only"):
        print(f"{way}: sending", file=sys.stderr, flush=True)
        told[way] = workers.run(__file__, [way, "none"], options.library.resolve(),
                                options.raw_rpc.resolve(), options.depth, way, show=[1])[1]
        said = told[way]
        print(f"{way}: a tuple of worker 70000: {first_line(said['worker'])}")
        print(f"{way}: a nest of {options.depth} tuples: {first_line(said['nest'])} after "
              f"{said['seconds']:.2f} s and {said['mebibytes']:.0f} MiB")
    wrong = [*check_plain(told["none"]), *check(told["write"])]
    for way in ("write", "only"):
        if told[way]["seconds"] > 5 or told[way]["mebibytes"] > 100:
            wrong.append(f"the nest's cost in mode {way}")
        wrong += [f"an honest {kind} in mode {way}" for kind in KINDS
                  if not agrees(told[way]["honest"][kind], HONEST[kind])]
        wrong += [f"the size of a {kind}" for kind in KINDS[1:]
                  if told[way]["sizes"][kind] != TRAILERS[kind]]
    wrong += [f"a pickled {kind} in mode only" for kind, error in told["only"]["pickles"].items()
              if "GRADTAIL_PYTORCH=only takes no other" not in (error or "")]
    for name in wrong:
        print("FAILED:", name)
    return 1 if wrong else 0


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1].isdigit():
        worker(*map(int, sys.argv[1:3]), *sys.argv[3:5], int(sys.argv[5]), sys.argv[6])
    else:
        sys.exit(main())
