#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The libraries export exactly the names that they mean to.

Usage: exports_test.py LIBGRADTAIL_PYTORCH.SO

A preloaded library takes over every name that it exports, in the whole process and in its children:
std::string's members, too, where a copy of these inline functions is exported.
"""
import pathlib
import subprocess
import sys
import unittest

LIBRARY = pathlib.Path(sys.argv.pop(1)).resolve()
AUTOGRAD, MESSAGE = "torch::distributed::autograd::", "(torch::distributed::rpc::Message const&)"
BOTH_WAYS = ["RpcWithAutograd", "PropagateGradientsReq", "CleanupAutogradContextReq",
             "RRefBackwardReq"]
REPLACED = {
    *(f"{AUTOGRAD}{name}::toMessageImpl() &&" for name in BOTH_WAYS),
    *(f"{AUTOGRAD}{name}::fromMessage{MESSAGE}"
      for name in [*BOTH_WAYS, "RpcWithProfilingReq", "RpcWithProfilingResp"]),
}


def exported(library):
    lines = subprocess.run(["nm", "-D", "--defined-only", "-C", library], check=True, text=True,
                           stdout=subprocess.PIPE).stdout.splitlines()
    return {line.split(maxsplit=2)[2] for line in lines}


class Exports(unittest.TestCase):
    maxDiff = None

    def test_the_preloaded_library(self):
        self.assertEqual(exported(LIBRARY), REPLACED | {
            "gradtail::pytorch::mode(gradtail::pytorch::Kind)",
            "gradtail::pytorch::count(gradtail::pytorch::Count)",
            "gradtail_pytorch_check", "gradtail_pytorch_counts"})

    def test_the_part_that_knows_pytorch(self):
        part = LIBRARY.parent / "libgradtail_pytorch_torch.so"
        self.assertEqual(exported(part), REPLACED | {
            "gradtail_pytorch_right_version", "gradtail_pytorch_self_test"})


if __name__ == "__main__":
    unittest.main()
