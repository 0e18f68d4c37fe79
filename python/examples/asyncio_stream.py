# SPDX-License-Identifier: Apache-2.0
"""asyncio: messages over TCP, each behind its length in four bytes."""
import asyncio

import gradtail

async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    length = int.from_bytes(await reader.readexactly(4), "big")
    message = gradtail.open(await reader.readexactly(length))
    print(f"context {message.metadata.context_id}: {bytes(message.payload).decode()}")
    writer.close()

async def main() -> None:
    server = await asyncio.start_server(receive, "127.0.0.1")
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    message = bytearray(b"gradients")
    gradtail.append(message, gradtail.AutogradMetadata(context_id=7))
    writer.write(len(message).to_bytes(4, "big") + message)
    await reader.read()

asyncio.run(main())
