#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The dissector against the reader in pure Python, on captures of two processes over loopback.

dissector_test.py --record replaces the captures in captures/."""

import pathlib
import secrets
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import xml.etree.ElementTree as tree

import exchange
import messages
from messages import wire  # which finds samples, too
import samples

FOLDER = pathlib.Path(__file__).resolve().parent
DISSECTOR = FOLDER.parent / "gradtail.lua"
CAPTURES = FOLDER / "captures"
RECORDED = ("udp", "le64", "zmtp", "grpc")
FIELDS = ["context_id", "message_id", "from_worker_id", "wrapped_message_type", "device_map.pair",
          "retain_graph", "rref_created_on", "rref_local_id", "payload_size", "accepted",
          "error.code", "error.check", "error.field", "error.offset"]


def tshark(capture, *arguments):
    command = ["tshark", "-X", f"lua_script:{DISSECTOR}", "-r", capture, *arguments]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120)
    noise = [line for line in done.stderr.splitlines() if line and "Running as user" not in line]
    if done.returncode != 0 or noise:
        raise AssertionError("\n".join([*noise, f"status {done.returncode}"]))
    return done.stdout


def dissected(capture, *arguments):
    """A dictionary of its fields for each message in a capture."""
    # PDML, as columns would mix up the fields of several messages in one packet.
    text = tshark(capture, "-O", "gradtail", "-Y", "gradtail", *arguments, "-T", "pdml")
    found = []
    for proto in tree.fromstring(text).iter("proto"):
        if proto.get("name") != "gradtail":
            continue
        fields = {}
        for field in proto.iter("field"):
            name = field.get("name").removeprefix("gradtail.")
            if name in FIELDS:
                fields.setdefault(name, []).append(field.get("show"))
        found.append(fields)
    return found


def verdict(fields):
    """The same as expected(), from the fields of the dissector."""
    if fields["accepted"][0] not in ("1", "True"):
        code, check, field, offset = (fields[f"error.{name}"][0]
                                      for name in ("code", "check", "field", "offset"))
        return code, check, field, int(offset)
    values = {}
    for field in wire.FIELDS:
        if field.name == "device_map":
            if fields.get("device_map.pair"):
                values["device_map"] = fields["device_map.pair"]
        elif field.name in fields and int(fields[field.name][0], 0) != field.default:
            values[field.name] = int(fields[field.name][0], 0)
    return int(fields["payload_size"][0]), values


def device(pair):
    kind, index = pair
    name = {0: "cpu", 1: "cuda"}.get(kind, f"device{kind}")
    return name if index == -1 else f"{name}:{index}"


def expected(message):
    said = samples.verdict(message)
    if len(said) == 2 and "device_map" in said[1]:
        said[1]["device_map"] = [f"{device(s)} -> {device(t)}" for s, t in said[1]["device_map"]]
    return said


def write_capture(path, packets, protocol):
    """A capture of IPv4 packets between two ports, made without a network."""
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, 101))
        sequence = 1000
        for i, data in enumerate(packets):
            if protocol == 17:
                segment = struct.pack(">HHHH", 40000, 50000, 8 + len(data), 0) + data
            else:
                numbers = (40000, 50000, sequence, 1, 0x50, 0x18, 1000, 0, 0)
                segment = struct.pack(">HHIIBBHHH", *numbers) + data
                sequence += len(data)
            header = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(segment), i, 0, 64, protocol, 0,
                                 b"\x7f\0\0\1", b"\x7f\0\0\1")
            packet = header + segment
            file.write(struct.pack("<IIII", i, 0, len(packet), len(packet)) + packet)


def wait_for_mark(capture, path):
    """Sends a datagram with a mark until it is in the file, and all that was sent before it."""
    mark = secrets.token_bytes(16)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(200):
            if capture.poll() is not None:
                raise PermissionError("capturing on lo isn't permitted here")
            sender.sendto(mark, ("127.0.0.1", 9))
            time.sleep(0.1)
            if path.exists() and mark in path.read_bytes():
                return
    raise TimeoutError("the capture has not begun after 20 s")


def record(kind, path):
    """Captures an exchange and returns the server's port."""
    command = ["tshark", "-i", "lo", "-f", "tcp or udp", "-B", "32", "-w", str(path)]
    capture = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        wait_for_mark(capture, path)
        port = exchange.run(kind)
        wait_for_mark(capture, path)
    finally:
        capture.terminate()
        capture.wait(timeout=20)
    only = f"{path}.only"
    subprocess.run(["tshark", "-r", path, "-Y", f"tcp.port == {port} or udp.port == {port}", "-w",
                    only], check=True, timeout=60, stderr=subprocess.DEVNULL)
    shutil.move(only, path)
    return port


class Captures(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def compare(self, capture, sent, *arguments, answered=False):
        got = [verdict(fields) for fields in dissected(capture, *arguments)]
        want = [expected(message) for message in sent]
        if answered:  # gRPC's server sends them back
            self.assertEqual(sorted(map(str, got)), sorted(map(str, want * 2)))
        else:
            self.assertEqual(got, want)

    def check(self, kind, capture, port):
        if kind == "udp":
            sent = [message for message in messages.datagrams() if message]
            self.compare(capture, sent, "-o", f"gradtail.udp_ports:{port}")
        else:
            sent = messages.exchanged()
            # Wireshark has to be told that it is HTTP/2, as the server speaks first.
            options = ["-d", f"tcp.port=={port},http2"] if kind == "grpc" else []
            self.compare(capture, sent, *options, answered=kind == "grpc")


class Recorded(Captures):
    """Two processes, captured while they talked: a file's name ends in the server's port."""

    def test_each_exchange(self):
        for kind in RECORDED:
            with self.subTest(kind):
                (capture,) = CAPTURES.glob(f"{kind}-*.pcapng")
                self.check(kind, capture, int(capture.stem.split("-")[1]))


class Written(Captures):
    """Captures made without a network."""

    def test_every_check_agrees_with_the_reader_in_pure_python(self):
        sent = [message for message in samples.damaged(3000, 6) if message]
        write_capture(self.folder / "udp.pcap", sent, 17)
        self.compare(self.folder / "udp.pcap", sent, "-o", "gradtail.udp_ports:50000")
        checks = {verdict[1] for verdict in map(expected, sent) if len(verdict) == 4}
        self.assertGreaterEqual(
            checks, {"magic", "version", "required_flags", "trailer_size", "checksum",
                     "identifier", "layout", "values"})

    def test_the_limit_is_a_preference(self):
        write_capture(self.folder / "udp.pcap", [wire.write(b"", samples.EVERY)], 17)
        options = ["-o", "gradtail.udp_ports:50000", "-o", "gradtail.limit:64"]
        (fields,) = dissected(self.folder / "udp.pcap", *options)
        self.assertEqual(fields["error.check"], ["limit"])

    def test_what_has_no_valid_trailer_is_left_alone(self):
        sent = [b"no trailer", wire.write(b"", {})[:-1], bytes(100), wire.write(b"", {}) + b"x"]
        write_capture(self.folder / "udp.pcap", sent, 17)
        self.assertEqual(dissected(self.folder / "udp.pcap"), [])
        write_capture(self.folder / "tcp.pcap", [struct.pack(">I", len(m)) + m for m in sent], 6)
        self.assertEqual(dissected(self.folder / "tcp.pcap"), [])

    def test_messages_are_found_wherever_segments_are_cut(self):
        sent = [messages.exchanged()[0]] + list(samples.damaged(60, 7))
        for kind, prefix in messages.PREFIXES.items():
            stream = b"".join(struct.pack(prefix, len(m)) + m for m in sent)
            for step in (1, 97, 1460) if kind == "be32" else (13,):
                cuts = [stream[at : at + step] for at in range(0, len(stream), step)]
                write_capture(self.folder / "tcp.pcap", cuts, 6)
                options = ["-o", "gradtail.tcp_ports:50000", "-o", f"gradtail.prefix:{kind}"]
                with self.subTest(kind=kind, step=step):
                    self.compare(self.folder / "tcp.pcap", sent, *options)

    def test_the_length_in_front_is_recognized(self):
        sent = messages.exchanged()
        for kind, prefix in messages.PREFIXES.items():
            stream = b"".join(struct.pack(prefix, len(m)) + m for m in sent)
            for step in (1460, 60_000):
                cuts = [stream[at : at + step] for at in range(0, len(stream), step)]
                write_capture(self.folder / "tcp.pcap", cuts, 6)
                with self.subTest(kind=kind, step=step):
                    self.compare(self.folder / "tcp.pcap", sent, "-o", "gradtail.tcp_ports:50000")

    def test_fields_can_be_filtered(self):
        sent = [wire.write(b"", {"context_id": i, "from_worker_id": 3}) for i in range(10)]
        sent.append(sent[0][:-20] + b"\1" + sent[0][-19:])
        write_capture(self.folder / "udp.pcap", sent, 17)
        options = ["-o", "gradtail.udp_ports:50000"]
        for filters, count in [("gradtail.context_id == 7", 1), ("gradtail.context_id > 7", 2),
                               ("gradtail.from_worker_id == 3", 10), ("gradtail.accepted == 0", 1),
                               ('gradtail.error.check == "checksum"', 1),
                               ("gradtail.expert.checksum", 1), ("gradtail.payload_size == 0", 11),
                               ("_ws.expert.group == Checksum", 1),
                               ("gradtail.id.worker == 0", 10)]:
            lines = tshark(self.folder / "udp.pcap", "-Y", filters, *options).splitlines()
            self.assertEqual(len(lines), count, filters)

    def test_the_packet_list_says_what_is_in_a_message(self):
        hostile = wire.seal(b"", wire.canonical_table({"rref_created_on": -2}))
        sent = [wire.write(b"hello", samples.IDS), hostile]
        write_capture(self.folder / "udp.pcap", sent, 17)
        good, bad = tshark(self.folder / "udp.pcap", "-o", "gradtail.udp_ports:50000").splitlines()
        self.assertIn("GRADTAIL", good)
        self.assertIn("[gradtail context 7, message 562949953421319, payload 5]", good)
        self.assertRegex(bad, r"\[gradtail invalid at byte \d+: the value of rref_created_on isn't")

    def test_stacked_trailers_are_a_preference(self):
        sent = [wire.write(wire.write(b"hello", {"context_id": 1}), {"context_id": 2})]
        write_capture(self.folder / "udp.pcap", sent, 17)
        one = dissected(self.folder / "udp.pcap")
        both = dissected(self.folder / "udp.pcap", "-o", "gradtail.stacked:TRUE")
        self.assertEqual([fields["context_id"] for fields in one], [["2"]])
        self.assertEqual([fields["context_id"] for fields in both], [["2"], ["1"]])


if __name__ == "__main__":
    if sys.argv[1:] == ["--record"]:
        shutil.rmtree(CAPTURES, ignore_errors=True)
        CAPTURES.mkdir()
        for kind in RECORDED:
            with tempfile.TemporaryDirectory() as folder:
                path = pathlib.Path(folder) / "capture.pcapng"
                port = record(kind, path)
                shutil.move(path, CAPTURES / f"{kind}-{port}.pcapng")
    else:
        unittest.main()
