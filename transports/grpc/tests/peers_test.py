#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The gRPC example against peers of another make: peers_test.py PATH_TO_grpc_stream.

A client and a server in Python, written from transports/grpc/example/README.md and schema/FORMAT.md."""

import concurrent.futures
import pathlib
import queue
import struct
import sys

try:
    import grpc
except ImportError:
    print("skipped: this Python has no grpcio (Debian: python3-grpcio)")
    sys.exit(77)

root = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(root / "examples/support"), str(root / "tests/golden")]
import testing  # noqa: E402
import wire  # noqa: E402

METHOD = "/gradtail.example.GradientStream/Run"
ACTIVATIONS, GRADIENTS, END, WEIGHT_GRADIENTS, REFUSED = 1, 2, 3, 4, 5
LIMITS = [("grpc.max_receive_message_length", -1), ("grpc.enable_http_proxy", 0)]


def floats(values):
    return struct.pack(f"<{len(values)}f", *values)


def weight(i):
    return (i % 7 - 3) / 4


def residual(values):
    return sum(weight(i) * a for i, a in enumerate(values[1:])) - values[0]


def gradients_of(values):
    return floats([residual(values) * weight(i) for i in range(len(values) - 1)])


def weight_gradients_of(messages):
    return floats([sum(residual(values) * values[i + 1] for values in messages)
                   for i in range(len(messages[0]) - 1)])


def fields(kind, context, message=-1, worker=1):
    return {"context_id": context, "message_id": message, "from_worker_id": worker,
            "wrapped_message_type": kind}


class Client:
    """One stream, a message and its answer at a time."""

    def __init__(self, address):
        self.channel = grpc.insecure_channel(address, options=LIMITS)
        self.requests = queue.Queue()
        call = self.channel.stream_stream(METHOD)
        self.answers = call(iter(self.requests.get, None), timeout=30)

    def ask(self, message):
        self.requests.put(message)
        return wire.read(next(self.answers))

    def activations(self, context, message, values):
        return self.ask(wire.write(floats(values), fields(ACTIVATIONS, context, message)))

    def end(self, context):
        return self.ask(wire.write(b"", fields(END, context)))

    def close(self):
        self.requests.put(None)
        assert list(self.answers) == []
        self.channel.close()


class Server(grpc.GenericRpcHandler):
    """Our client's peer; `change` may spoil its answers."""

    def __init__(self, change):
        self.change = change

    def service(self, handler_call_details):
        if handler_call_details.method != METHOD:
            return None
        return grpc.stream_stream_rpc_method_handler(self.run)

    def run(self, requests, _):
        passes = {}
        for number, request in enumerate(requests):
            payload, asked = wire.read(request)
            context = asked["context_id"]
            if asked["wrapped_message_type"] == ACTIVATIONS:
                values = struct.unpack(f"<{len(payload) // 4}f", payload)
                passes.setdefault(context, []).append(values)
                answer = [gradients_of(values), fields(GRADIENTS, context, asked["message_id"], 0)]
            else:
                answer = [weight_gradients_of(passes.pop(context)),
                          fields(WEIGHT_GRADIENTS, context, -1, 0)]
            yield self.change(number, wire.write(*answer), *answer)
        assert not passes


class OurServer(testing.ExampleTest):
    def client(self):
        """A client of our server, whose stream must go on to its end."""
        server = self.start("--listen", "127.0.0.1:0")
        client = Client(self.line(server, r"^listening on (\S+)$")[1])
        self.addCleanup(client.close)
        return client

    def test_passes_may_be_interleaved(self):
        a, b = [2.0, 1.5, -3.0, 4.0], [0.5, 8.0, 0.25, -1.0]
        first, second = 1 << 48 | 5, 1 << 48 | 6
        client = self.client()
        for context, message, values in ((first, 10, a), (second, 11, b), (first, 12, b)):
            self.assertEqual(client.activations(context, message, values),
                             (gradients_of(values), fields(GRADIENTS, context, message, 0)))
        self.assertEqual(client.end(second), (weight_gradients_of([b]), {
            "context_id": second, "from_worker_id": 0, "wrapped_message_type": WEIGHT_GRADIENTS}))
        self.assertEqual(client.end(first)[0], weight_gradients_of([a, b]))
        self.assertEqual(client.activations(first, 13, a)[0], gradients_of(a))
        self.assertEqual(client.end(first)[0], weight_gradients_of([a]))

    def test_what_is_wrong_is_refused_and_the_stream_goes_on(self):
        good = wire.write(floats([1, 2, 3]), fields(ACTIVATIONS, 7, 8))
        damaged = bytearray(good)
        damaged[20] ^= 1
        rows = (
            (good[:-1], "absent"),
            (b"", "absent"),
            (good[1:], "corrupt"),
            (bytes(damaged), "corrupt"),
            (wire.write(floats([1, 2]), fields(ACTIVATIONS, -1, 8)), "without context_id"),
            (wire.write(floats([1, 2]), fields(ACTIVATIONS, 7)), "without message_id"),
            (wire.write(floats([1, 2]), fields(ACTIVATIONS, 7, 8, 0)), "must be 1 or more"),
            (wire.write(floats([1, 2]), fields(ACTIVATIONS, 7, 8, 2)), "worker 1's"),
            (wire.write(floats([1]), fields(ACTIVATIONS, 7, 8)), "2 or more floats"),
            (wire.write(b"12345678910", fields(ACTIVATIONS, 7, 8)), "2 or more floats"),
            (wire.write(bytes(2**24 + 4), fields(ACTIVATIONS, 7, 8)), "above 16 MiB"),
            (wire.write(floats([1, 2]), fields(ACTIVATIONS, 6, 8)), "not as many activations"),
            (wire.write(b"", fields(9, 7)), "a type that no client sends"),
            (wire.write(b"x", fields(END, 6)), "end_of_pass has no payload"),
            (wire.write(b"", fields(END, 7)), "no such pass"),
        )
        client = self.client()
        client.activations(6, 1, [1.0, 2.0, 3.0])
        for message, named in rows:
            with self.subTest(named):
                text, answer = client.ask(message)
                self.assertEqual(answer["wrapped_message_type"], REFUSED)
                self.assertIn(named, text.decode())
        self.assertEqual(client.end(6)[0], weight_gradients_of([[1.0, 2.0, 3.0]]))

    def test_what_a_peer_can_make_the_server_keep_is_bounded(self):
        client = self.client()
        for context in range(4):
            client.ask(wire.write(bytes(2**24), fields(ACTIVATIONS, context, 0)))
        self.assertIn(b"too many activations", client.activations(4, 0, [1.0] * 6)[0])
        answer = client.activations(4, 0, [1.0] * 5)[1]
        self.assertEqual(answer["wrapped_message_type"], GRADIENTS)
        client = self.client()
        for context in range(1024):
            client.activations(context, 0, [1.0, 1.0])
        self.assertIn(b"1024 passes", client.activations(1024, 0, [1.0, 1.0])[0])
        client.end(0)
        answer = client.activations(1024, 0, [1.0, 1.0])[1]
        self.assertEqual(answer["wrapped_message_type"], GRADIENTS)

    def test_another_method_is_unimplemented(self):
        with self.assertRaises(grpc.RpcError) as raised:
            self.client().channel.unary_unary("/other/Method")(b"", timeout=10)
        self.assertEqual(raised.exception.code(), grpc.StatusCode.UNIMPLEMENTED)
        self.assertIn(METHOD, raised.exception.details())


class OurClient(testing.ExampleTest):
    def call(self, change):
        """What our client says of a server whose answers are changed like this."""
        server = grpc.server(concurrent.futures.ThreadPoolExecutor(2), options=LIMITS)
        server.add_generic_rpc_handlers((Server(change),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            return self.run_program("--connect", f"127.0.0.1:{port}", "--floats=20")
        finally:
            server.stop(None).wait()

    def test_it_takes_right_answers(self):
        self.expect(self.call(lambda number, message, payload, said: message), 0, "PASS")

    def test_it_finds_wrong_answers(self):
        def changed(**values):
            return lambda number, message, payload, said: wire.write(payload, {**said, **values})

        def spoiled(at, spoil):
            return lambda number, message, payload, said: (
                spoil(message, payload, said) if number == at else message)

        rows = (
            (spoiled(20, lambda message, payload, said: message[:-1]), "absent"),
            (spoiled(20, lambda message, payload, said: message[1:]), "corrupt"),
            (spoiled(20, lambda message, payload, said: wire.write(payload[::-1], said)),
             "wrong gradients"),
            (spoiled(135, lambda message, payload, said: wire.write(payload[::-1], said)),
             "wrong weight gradients"),
            (spoiled(20, lambda message, payload, said: wire.write(payload[:-4], said)),
             "wrong gradients"),
            (spoiled(20, lambda message, payload, said: wire.write(
                b"no", {**said, "wrapped_message_type": REFUSED})), "it refused a message: no"),
            (changed(from_worker_id=2), "its from_worker_id isn't 0"),
            (changed(context_id=1), "no such pass"),
            (changed(context_id=1 << 48 | 8), "no such pass"),
            (changed(message_id=1 << 48), "not due"),
            (changed(wrapped_message_type=9), "no such answer"),
        )
        for change, named in rows:
            with self.subTest(named):
                self.expect(self.call(change), 1, named, "of 136 answers")


if __name__ == "__main__":
    testing.main()
