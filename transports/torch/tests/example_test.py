#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the libtorch example as a user would: example_test.py PATH_TO_torch_two_workers."""

import pathlib
import re
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "examples" / "support"))
import testing  # noqa: E402


class TorchTwoWorkers(testing.TwoWorkersTest):
    long_run = "--steps=1000000"
    hang_notice, hang_notice_s = "RPC ran for more than set timeout", 15

    def expect_trained(self, result):
        self.expect(result, 0)
        first, last, difference = (
            float(re.search(rf"^  {name} +([0-9.e+-]+)", result.stdout, re.MULTILINE)[1])
            for name in ("first loss", "last loss", "gradient difference"))
        self.assertLess(difference, 1e-5)
        self.assertLess(last, first)
        self.assertTrue(result.stdout.splitlines()[-1].startswith("PASS"), result.stdout)
        self.assertEqual(result.stderr, "")

    def test_a_default_run_trains_and_its_gradients_agree(self):
        result = self.run_program()
        self.expect_trained(result)
        self.assertRegex(result.stdout, "100 +of 1000 passes together")

    def test_any_number_in_flight_trains(self):
        for in_flight in ("2", "37", "150"):
            self.expect_trained(
                self.run_program("--steps=20", "--in-flight", in_flight, "--seed", in_flight))

    def test_two_programs_meet_by_the_address_on_their_command_lines(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            master = f"127.0.0.1:{server.getsockname()[1]}"
        worker1 = self.start("--rank=1", "--master", master)
        self.expect_trained(
            self.run_program("--rank=0", "--master", master, "--interface=lo", "--steps=10"))
        result = self.finish(worker1)
        self.expect(result, 0)
        self.assertEqual(result.stderr, "")

    def test_a_busy_port_is_named(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            self.expect(self.run_program("--rank=0", "--master", f"127.0.0.1:{port}"), 1,
                        f"port {port}, is the port free?")

    def test_help_lists_every_option(self):
        self.expect_help("rank", "master", "interface", "steps", "in-flight", "seed", "data")

    def test_wrong_arguments_are_named_with_what_they_may_be(self):
        self.expect_wrong_arguments(
            (["--rang", "1"], "--rang"),
            (["--rank", "2"], "--rank: Value 2 not in range 0 to 1"),
            (["--rank", "0"], "--rank needs --master"),
            (["--master", "h:1"], "--master needs --rank"),
            (["--interface", "lo"], "--interface requires --rank"),
            (["--rank=0", "--master=h"], "such as 192.0.2.1:5000 or [::1]:5000, not 'h'"),
            (["--rank=0", "--master=h:0"], "port: Value 0 not in range 1 to 65535"),
            (["--rank=0", "--master=127.0.0.1:1", "--interface=none"],
             "no network interface 'none'"),
            (["--steps"], "--steps: 1 required"),
            (["--steps", "1"], "--steps: Value 1 not in range 2 to 1000000"),
            (["--in-flight=151"], "--in-flight: Value 151 not in range 2 to 150"))

    def test_unusable_data_are_named(self):
        self.expect(self.run_program("--data=/dev/null"), 1, "/dev/null has only 0 flowers")


if __name__ == "__main__":
    testing.main()
