#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two NIXL agents in two processes exchange trailers as notifications, made and read by the oracle of the
golden messages. The code of the page is in page.cpp."""

import contextlib
import ctypes
import importlib
import multiprocessing
import os
import pathlib
import sys
import time
import unittest

HERE = pathlib.Path(__file__).resolve()
sys.path.insert(0, str(HERE.parents[3] / "tests/golden"))
import wire  # noqa: E402

SKIPPED = 77
SIZES = (64, 65536, 16 << 20)
FIELDS = {"context_id": 9, "message_id": 10, "from_worker_id": 1,
          "device_map": [((1, 0), (1, 1))]}


def load_nixl():
    """NIXL's Python API, by the name of whichever of its packages is there."""
    for name in ("nixl", "nixl_cu12", "nixl_cu13"):
        with contextlib.suppress(ImportError):
            return importlib.import_module(f"{name}._api")
    return None


def make_agent(name):
    nixl = load_nixl()
    return nixl.nixl_agent(name, nixl.nixl_agent_config(True, False, 0, backends=["UCX"]))


class Memory:
    """Registered bytes."""

    def __init__(self, agent, size, value):
        self.bytes = (ctypes.c_char * size)()
        ctypes.memset(self.bytes, value, size)
        self.size = size
        self.address = ctypes.addressof(self.bytes)
        self.handle = agent.register_memory([(self.address, size, 0, "")], "DRAM")

    def descriptors(self, agent):
        return agent.get_xfer_descs([(self.address, self.size, 0)], "DRAM")


def notification_for(size):
    """The trailer of a transfer of that many bytes."""
    return wire.write(bytes(size), FIELDS)[size:]


def wait_for(what, condition, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.002)
    raise AssertionError(f"{what}: nothing for {seconds} s")


def notification_from(agent):
    received = wait_for("a notification", agent.get_new_notifs)
    assert list(received) == ["sender"] and len(received["sender"]) == 1, received
    return received["sender"][0]


def send(connection):
    """The other process: it obeys words from the test."""
    agent = make_agent("sender")
    connection.send(agent.get_agent_metadata())
    while (order := connection.recv()) is not None:
        verb, *arguments = order
        if verb == "notify":
            agent.send_notif("receiver", arguments[0])
        elif verb == "meet":
            agent.add_remote_agent(arguments[0])
        elif verb == "write":
            size, notification, descriptors = arguments
            memory = Memory(agent, size, 0x55)
            remote = agent.deserialize_descs(descriptors)
            transfer = agent.initialize_xfer("WRITE", memory.descriptors(agent), remote, "receiver",
                                             notification)
            agent.transfer(transfer)
            wait_for("the transfer", lambda: agent.check_xfer_state(transfer) == "DONE")
        connection.send("done")


class Ends:
    """A receiver in this process, a sender in another."""

    def __enter__(self):
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=send, args=(theirs,), daemon=True)
        self.process.start()
        self.agent = make_agent("receiver")
        assert self.connection.poll(30), "no sender after 30 s"
        self.agent.add_remote_agent(self.connection.recv())
        self.tell("meet", self.agent.get_agent_metadata())
        return self

    def __exit__(self, *_):
        self.connection.send(None)
        self.process.join(10)
        self.process.kill()

    def tell(self, *order):
        self.connection.send(order)
        assert self.connection.poll(30), f"no answer to {order[0]} after 30 s"
        assert self.connection.recv() == "done"

    def write(self, size, notification):
        """Has the sender write that many bytes, and returns the memory that they went to."""
        memory = Memory(self.agent, size, 0)
        self.tell("meet", self.agent.get_agent_metadata())  # with this memory in it
        self.tell("write", size, notification,
                  self.agent.get_serialized_descs(memory.descriptors(self.agent)))
        return memory


class Exchange(unittest.TestCase):
    def test_a_notification_says_what_has_arrived(self):
        with Ends() as ends:
            for size in SIZES:
                memory = ends.write(size, notification_for(size))
                notification = notification_from(ends.agent)
                self.assertEqual(memory.bytes.raw, b"\x55" * size)
                self.assertEqual(wire.read_detached(notification, size), FIELDS)

    def test_a_notification_before_the_transfer_says_where_it_goes(self):
        with Ends() as ends:
            ends.tell("notify", notification_for(4096))
            self.assertEqual(wire.read_detached(notification_from(ends.agent), 4096), FIELDS)
            memory = ends.write(4096, b"")
            wait_for("the data", lambda: memory.bytes.raw == b"\x55" * 4096)

    def test_a_text_of_ones_own_travels_before_the_trailer(self):
        with Ends() as ends:
            ends.tell("notify", wire.write(b"tensor 7", FIELDS))
            self.assertEqual(wire.read(notification_from(ends.agent)), (b"tensor 7", FIELDS))


if __name__ == "__main__":
    if load_nixl() is None:
        print("skipped: this Python has no nixl; run this with one where it was installed by pip")
        sys.exit(SKIPPED)
    done = unittest.main(verbosity=2, exit=False)
    sys.stdout.flush()
    # NIXL 1.5.1 crashes as an agent is destroyed whose peer is gone.
    os._exit(0 if done.result.wasSuccessful() else 1)
