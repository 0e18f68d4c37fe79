# SPDX-License-Identifier: Apache-2.0
"""The gRPC example against peers of another make: peers_test.py PATH_TO_grpc_stream.

A client and a server in Python, written from transports/grpc/example/README.md and schema/FORMAT.md."""

import concurrent.futures
import contextlib
import pathlib
import queue
import struct
import subprocess
import sys
import unittest

try:
    import grpc
except ImportError:
    print("skipped: this Python has no grpcio (Debian: python3-grpcio)")
    sys.exit(77)

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "tests/golden"))
import wire  # noqa: E402

METHOD = "/gradtail.example.GradientStream/Run"
ACTIVATIONS, GRADIENTS, END, WEIGHT_GRADIENTS, REFUSED = 1, 2, 3, 4, 5
LIMITS = [("grpc.max_receive_message_length", -1), ("grpc.enable_http_proxy", 0)]
PROGRAM = ""


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


@contextlib.contextmanager
def client():
    """A client of our server, which must go on to its end."""
    server = subprocess.Popen([PROGRAM, "--listen", "127.0.0.1:0"], text=True,
                              stdout=subprocess.PIPE)
    try:
        one = Client(server.stdout.readline().split()[-1])
        yield one
        one.close()
    finally:
        server.kill()
        server.communicate()


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


def call(change, *arguments):
    """What our client says of a server whose answers are changed so."""
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(2), options=LIMITS)
    server.add_generic_rpc_handlers((Server(change),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        result = subprocess.run([PROGRAM, "--connect", f"127.0.0.1:{port}", *arguments],
                                capture_output=True, text=True, timeout=60)
    finally:
        server.stop(None).wait()
    return result.returncode, result.stdout + result.stderr


def expect(result, status, text):
    assert result[0] == status and text in result[1], result


class Peers(unittest.TestCase):
    def test_passes_may_be_interleaved(self):
        a, b = [2.0, 1.5, -3.0, 4.0], [0.5, 8.0, 0.25, -1.0]
        with client() as one:
            first, second = 1 << 48 | 5, 1 << 48 | 6
            for context, message, values in ((first, 10, a), (second, 11, b), (first, 12, b)):
                payload, answer = one.activations(context, message, values)
                assert payload == gradients_of(values)
                assert answer == fields(GRADIENTS, context, message, 0), answer
            assert one.end(second) == (weight_gradients_of([b]), {
                "context_id": second, "from_worker_id": 0, "wrapped_message_type": WEIGHT_GRADIENTS})
            assert one.end(first)[0] == weight_gradients_of([a, b])
            assert one.activations(first, 13, a)[0] == gradients_of(a)
            assert one.end(first)[0] == weight_gradients_of([a])

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
        with client() as one:
            one.activations(6, 1, [1.0, 2.0, 3.0])
            for message, named in rows:
                text, answer = one.ask(message)
                assert answer["wrapped_message_type"] == REFUSED, answer
                assert named in text.decode(), (text, named)
            assert one.end(6)[0] == weight_gradients_of([[1.0, 2.0, 3.0]])

    def test_what_a_peer_can_make_the_server_keep_is_bounded(self):
        with client() as one:
            for context in range(4):
                one.ask(wire.write(bytes(2**24), fields(ACTIVATIONS, context, 0)))
            text, _ = one.activations(4, 0, [1.0] * 6)
            assert b"too many activations" in text
            assert one.activations(4, 0, [1.0] * 5)[1]["wrapped_message_type"] == GRADIENTS
        with client() as one:
            for context in range(1024):
                one.activations(context, 0, [1.0, 1.0])
            assert b"1024 passes" in one.activations(1024, 0, [1.0, 1.0])[0]
            one.end(0)
            assert one.activations(1024, 0, [1.0, 1.0])[1]["wrapped_message_type"] == GRADIENTS

    def test_another_method_is_unimplemented(self):
        with client() as one:
            other = one.channel.unary_unary("/other/Method")
            with self.assertRaises(grpc.RpcError) as raised:
                other(b"", timeout=10)
            self.assertEqual(raised.exception.code(), grpc.StatusCode.UNIMPLEMENTED)
            self.assertIn(METHOD, raised.exception.details())

    def test_our_client_takes_right_answers(self):
        expect(call(lambda number, message, payload, said: message, "--floats=20"), 0, "PASS")

    def test_our_client_finds_wrong_answers(self):
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
            result = call(change, "--floats=20")
            expect(result, 1, named)
            expect(result, 1, "of 136 answers")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: peers_test.py PATH_TO_grpc_stream")
    PROGRAM = sys.argv.pop(1)
    unittest.main()
