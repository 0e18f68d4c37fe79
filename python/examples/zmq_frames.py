# SPDX-License-Identifier: Apache-2.0
"""ZeroMQ: the payload and its trailer are two frames of one message."""
import zmq

import gradtail

context = zmq.Context()
sender, receiver = context.socket(zmq.PUSH), context.socket(zmq.PULL)
port = receiver.bind_to_random_port("tcp://127.0.0.1")
sender.connect(f"tcp://127.0.0.1:{port}")

payload = b"gradients"
metadata = gradtail.AutogradMetadata(context_id=7)
sender.send_multipart([payload, gradtail.trailer(metadata, len(payload))])

first, last = receiver.recv_multipart(copy=False)
received = gradtail.open_trailer(last.buffer, payload_size=len(first.buffer))
print(f"context {received.metadata.context_id}: {first.bytes.decode()}")
context.destroy()
