#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs both ends of the gRPC example as users would: example_test.py PATH_TO_grpc_stream."""

import pathlib
import signal
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "examples" / "support"))
import testing  # noqa: E402


class GrpcStream(testing.ExampleTest):
    def serve(self):
        """A server and its address."""
        server = self.start("--listen", "127.0.0.1:0")
        return server, self.line(server, r"^listening on (127\.0\.0\.1:\d+)$")[1]

    def call(self, address, *arguments):
        """A client that is under way for a while."""
        client = self.start("--connect", address, "--messages=1000000")
        self.line(client, "^connected")
        time.sleep(0.3)
        return client

    def test_one_client_gets_all_gradients(self):
        server, address = self.serve()
        self.expect(self.run_program("--connect", address), 0,
                    "PASS: 8 passes at once, 128 gradients and 8 weight gradients are right")
        self.line(server, r"^ipv4:\S+: connected$")
        self.line(server, r"^ipv4:\S+: done after 136 messages, 0 of them refused$")

    def test_several_clients_share_a_server(self):
        _, address = self.serve()
        clients = [self.start("--connect", address, f"--worker={worker}", "--messages=500")
                   for worker in (1, 2, 32767)]
        for client in clients:
            self.expect(self.finish(client), 0, "PASS")

    def test_the_largest_and_the_smallest_messages_pass(self):
        _, address = self.serve()
        for arguments, passes in (
            (["--floats=4194303", "--passes=2", "--messages=2"], 2),
            (["--floats=1", "--passes=1", "--messages=1"], 1),
            (["--floats=1", "--passes=1024"], 1024),
        ):
            self.expect(self.run_program("--connect", address, *arguments), 0,
                        f"PASS: {passes} passes")

    def test_a_busy_port_is_named(self):
        _, address = self.serve()
        self.expect(self.run_program("--listen", address), 1,
                    f"can't listen on {address}: another program")

    def test_a_server_that_is_not_there_is_named(self):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            address = "127.0.0.1:%d" % unused.getsockname()[1]
            self.expect(self.run_program("--connect", address), 1,
                        f"can't reach {address} within 5 s")

    def test_a_server_outlives_a_client_that_is_killed(self):
        server, address = self.serve()
        client = self.call(address)
        self.line(server, ": connected$")
        client.kill()
        self.line(server, r": LOST after \d+ messages, .*; dropped \d passes that had not ended$")
        self.expect(self.run_program("--connect", address), 0, "PASS")

    def test_a_client_reports_that_its_server_is_gone(self):
        server, address = self.serve()
        client = self.call(address)
        server.kill()
        self.expect(self.finish(client, 10), 1, f"grpc_stream: server {address}, after ")

    def test_a_client_reports_that_its_server_hangs(self):
        server, address = self.serve()
        client = self.call(address)
        server.send_signal(signal.SIGSTOP)
        self.expect(self.finish(client, 30), 1, "answers: it sent nothing for 10 s")

    def test_a_server_ends_when_it_is_told_to(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            server, address = self.serve()
            client = self.call(address)
            server.send_signal(number)
            self.expect(self.finish(server, 10), 0, "ending")
            self.expect(self.finish(client, 10), 1, "the stream ended")

    def test_help_lists_every_option(self):
        self.expect_help("listen", "connect", "passes", "messages", "floats", "worker")

    def test_wrong_arguments_are_named_with_what_they_may_be(self):
        self.expect_wrong_arguments(
            ([], "either --listen"),
            (["--listen=a:1", "--connect=a:1"], "either --listen"),
            (["--connect"], "--connect: 1 required"),
            (["--connect=localhost"], "--connect: takes HOST:PORT, such as 192.0.2.1:5000"),
            (["--connect=:5000"], "not ':5000'"),
            (["--connect=localhost:0"], "port: Value 0 not in range 1 to 65535"),
            (["--listen=localhost:65536"], "port: Value 65536 not in range 0 to 65535"),
            (["--listen=localhost:http"], "port: Value http not in range 0 to 65535"),
            (["extra"], "extra"),
            (["--passes=0"], "--passes: Value 0 not in range 1 to 1024"),
            (["--messages", "1000001"], "--messages: Value 1000001 not in range 1 to 1000000"),
            (["--floats=4194304"], "--floats: Value 4194304 not in range 1 to 4194303"),
            (["--worker=0"], "--worker: Value 0 not in range 1 to 32767"),
            (["--connect=a:1", "--floats=4194303", "--passes=5"], "at most 16777216"))


if __name__ == "__main__":
    testing.main()
