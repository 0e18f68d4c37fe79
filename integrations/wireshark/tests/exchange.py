# SPDX-License-Identifier: Apache-2.0
"""Two processes that exchange messages over loopback, for captures."""

import multiprocessing
import socket
import struct
import time

import messages

TIMEOUT = 20


def serve_tcp(ready, kind):
    listener = socket.create_server(("127.0.0.1", 0))
    ready.put(listener.getsockname()[1])
    connection, _ = listener.accept()
    connection.settimeout(TIMEOUT)
    while connection.recv(65536):
        pass


def call_tcp(port, kind):
    """The messages behind their lengths, some in many small segments."""
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for i, message in enumerate(messages.exchanged()):
        data = struct.pack(messages.PREFIXES[kind], len(message)) + message
        step = 7 if i % 4 == 3 and len(data) < 200 else len(data)
        for at in range(0, len(data), step):
            connection.sendall(data[at : at + step])
    connection.close()


def serve_udp(ready, kind):
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", 0))
    receiver.settimeout(TIMEOUT)
    ready.put(receiver.getsockname()[1])
    for _ in messages.datagrams():
        receiver.recv(65536)


def call_udp(port, kind):
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for message in messages.datagrams():
        sender.sendto(message, ("127.0.0.1", port))
        time.sleep(0.001)


def zmq_socket(kind):
    import zmq

    made = zmq.Context.instance().socket(kind)
    made.linger = made.rcvtimeo = made.sndtimeo = TIMEOUT * 1000
    return made


def serve_zmtp(ready, kind):
    import zmq

    receiver = zmq_socket(zmq.PULL)
    ready.put(receiver.bind_to_random_port("tcp://127.0.0.1"))
    for _ in messages.exchanged():
        receiver.recv_multipart()


def call_zmtp(port, kind):
    """One frame, or the payload in one or two frames and the trailer in the last."""
    import zmq

    sender = zmq_socket(zmq.PUSH)
    sender.connect(f"tcp://127.0.0.1:{port}")
    for i, message in enumerate(messages.exchanged()):
        sender.send_multipart(messages.frames(i, message))


METHOD = "/gradtail.test.Exchange/Send"


def serve_grpc(ready, kind):
    import grpc
    from concurrent import futures

    received = multiprocessing.Event()

    def answer(stream, context):
        for request in stream:
            yield request
        received.set()

    class Handler(grpc.GenericRpcHandler):
        def service(self, details):
            return grpc.stream_stream_rpc_method_handler(answer)

    server = grpc.server(futures.ThreadPoolExecutor(2), handlers=[Handler()])
    ready.put(server.add_insecure_port("127.0.0.1:0"))
    server.start()
    received.wait(TIMEOUT)
    server.stop(1).wait()


def call_grpc(port, kind):
    import grpc

    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.stream_stream(METHOD)
        for _ in call(iter(messages.exchanged()), timeout=TIMEOUT):
            pass


SIDES = {
    "udp": (serve_udp, call_udp),
    "zmtp": (serve_zmtp, call_zmtp),
    "grpc": (serve_grpc, call_grpc),
    **dict.fromkeys(messages.PREFIXES, (serve_tcp, call_tcp)),
}


def run(kind):
    """Runs the exchange and returns the server's port."""
    context = multiprocessing.get_context("spawn")
    ready = context.Queue()
    serve, call = SIDES[kind]
    server = context.Process(target=serve, args=(ready, kind))
    server.start()
    try:
        port = ready.get(timeout=TIMEOUT)
        caller = context.Process(target=call, args=(port, kind))
        caller.start()
        caller.join(2 * TIMEOUT)
        server.join(TIMEOUT)
        if caller.exitcode != 0 or server.exitcode != 0:
            raise RuntimeError(f"the exchange over {kind} failed")
    finally:
        server.kill()
    return port
