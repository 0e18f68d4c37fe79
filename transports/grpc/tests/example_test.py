#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs both ends of the gRPC example, against each other and against peers in Python that share no
code with the library: example_test.py PATH_TO_grpc_stream."""

import concurrent.futures
import pathlib
import struct
import sys
import unittest

try:
    import grpc
except ImportError:
    grpc = None

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "examples/support"), str(ROOT / "tests/golden")]
import testing  # noqa: E402
import wire  # noqa: E402

METHOD = "/gradtail.example.Gradients/Run"
NO_PROXY = [("grpc.enable_http_proxy", 0)]
ACTIVATIONS, GRADIENTS = 1, 2
needs_grpcio = unittest.skipUnless(grpc, "this Python has no grpcio (Debian: python3-grpcio)")


def floats(*values):
    return struct.pack(f"<{len(values)}f", *values)


def fields(kind, context, message, worker):
    return {"context_id": context, "message_id": message, "from_worker_id": worker,
            "wrapped_message_type": kind}


def gradients_of(request):
    """What the server has to answer."""
    payload, asked = wire.read(request)
    values = struct.unpack(f"<{len(payload) // 4}f", payload)
    return (floats(*(2 * value for value in values)),
            fields(GRADIENTS, asked["context_id"], asked["message_id"], 0))


class Server(testing.ExampleTest):
    def serve(self):
        server = self.start("--listen", "127.0.0.1:0")
        return "127.0.0.1:" + self.line(server, r"^listening on port (\d+)$")[1]

    def ask(self, *messages):
        """The answers to a stream of these messages."""
        with grpc.insecure_channel(self.serve(), options=NO_PROXY) as channel:
            return list(channel.stream_stream(METHOD)(iter(messages), timeout=30))

    def test_clients_get_all_gradients_from_one_server(self):
        address = self.serve()
        for client in [self.start("--connect", address) for _ in range(3)]:
            self.expect(self.finish(client), 0, "PASS: 256 messages of 4 passes answered")

    @needs_grpcio
    def test_a_client_in_python_gets_what_it_asked_for(self):
        messages = [wire.write(floats(1.5, -3, context), fields(ACTIVATIONS, context, number, 1))
                    for number, context in enumerate([5, 1 << 48, 5])]
        self.assertEqual([wire.read(answer) for answer in self.ask(*messages)],
                         [gradients_of(message) for message in messages])

    @needs_grpcio
    def test_a_bad_message_ends_its_stream_with_a_status_that_names_the_fault(self):
        good = wire.write(floats(1, 2), fields(ACTIVATIONS, 7, 8, 1))
        for message, code, text in (
            (good[:-1], "INVALID_ARGUMENT", "absent"),
            (good[1:], "DATA_LOSS", "corrupt"),
            (wire.write(floats(1), {"context_id": 7}), "INVALID_ARGUMENT", "message_id"),
            (wire.write(b"12345", fields(ACTIVATIONS, 7, 8, 1)), "INVALID_ARGUMENT", "floats"),
        ):
            with self.subTest(text), self.assertRaises(grpc.RpcError) as raised:
                self.ask(good, message)
            self.assertEqual(raised.exception.code().name, code)
            self.assertIn(text, raised.exception.details())


class Client(testing.ExampleTest):
    def test_a_server_that_is_not_there_is_an_error(self):
        address = f"127.0.0.1:{testing.free_port()}"
        self.expect(self.run_program("--connect", address), 1, f"{address}: code 14")

    def call(self, answer_to):
        """Our client's result, and a server in Python that answers so."""
        def run(requests, _):
            return (answer_to(number, request) for number, request in enumerate(requests))

        server = grpc.server(concurrent.futures.ThreadPoolExecutor(1), options=NO_PROXY)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(
            METHOD[1:].split("/")[0], {"Run": grpc.stream_stream_rpc_method_handler(run)}),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            return self.run_program("--connect", f"127.0.0.1:{port}")
        finally:
            server.stop(None).wait()

    @needs_grpcio
    def test_right_answers_pass_and_wrong_ones_are_named(self):
        def spoiled(spoil):
            return lambda number, request: (
                spoil(*gradients_of(request)) if number == 20 else wire.write(*gradients_of(request)))

        for answer_to, status, text in (
            (spoiled(wire.write), 0, "PASS"),
            (spoiled(lambda payload, said: wire.write(payload, said)[:-1]), 1, "absent"),
            (spoiled(lambda payload, said: wire.write(payload, said)[1:]), 1, "corrupt"),
            (spoiled(lambda payload, said: wire.write(payload[::-1], said)), 1, "a wrong answer"),
            (spoiled(lambda payload, said: wire.write(payload, {**said, "message_id": 19})), 1,
             "a wrong answer"),
            (spoiled(lambda payload, said: wire.write(payload, {**said, "context_id": 1})), 1,
             "a wrong answer"),
        ):
            with self.subTest(text):
                self.expect(self.call(answer_to), status, text)


if __name__ == "__main__":
    testing.main()
