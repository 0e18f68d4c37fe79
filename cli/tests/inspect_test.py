# SPDX-License-Identifier: Apache-2.0
"""gradtail inspect on good, bad and hostile messages, and on text that stands for them."""

import base64
import json
import os
import pty
import random
import re
import subprocess

from program import GOLDEN, PROGRAM, ROOT, Folder, gradtail, inspected, verdict, wire
import samples  # noqa: E402, found by program
from samples import EVERY, FORWARD, flipped


class Inspect(Folder):
    def agree(self, message):
        """Compares the verdict with the independent reader's; returns it with the report."""
        report, status = inspected(message)
        trailer, outcome = report["trailers"][0], samples.verdict(message)
        accepted = len(outcome) == 2
        self.assertEqual((verdict(trailer), status), (outcome, 0 if accepted else 1), message.hex())
        return trailer, "accepted" if accepted else outcome[1]

    def test_golden_messages_are_accepted_and_every_byte_is_in_a_part(self):
        files = sorted((GOLDEN / "v1").glob("*.bin"))
        self.assertGreater(len(files), 150)
        for file in random.Random(1).sample(files, 40) + files[:20]:
            message = file.read_bytes()
            trailer, outcome = self.agree(message)
            self.assertEqual(outcome, "accepted", file.name)
            covered = set()
            for part in trailer["parts"]:
                at, size = part["offset"], part["size"]
                covered |= set(range(at, at + size))
                if "bytes" in part:
                    self.assertEqual(bytes.fromhex(part["bytes"]), message[at : at + size])
            self.assertEqual(covered, set(range(len(message))), file.name)

    def test_each_field_is_shown_at_its_offset(self):
        message = wire.write(b"hello", EVERY)
        parts = {part["name"]: part for part in inspected(message)[0]["trailers"][0]["parts"]}
        for field in wire.FIELDS:
            part = parts[field.name]
            if field.name != "device_map":
                value = wire.word(message, part["offset"], field.code)
                self.assertEqual(value, EVERY[field.name])
                self.assertTrue(part["meaning"].startswith(str(value)), part)
        self.assertEqual(parts["pair 1"]["meaning"], "cuda:1 -> cpu")
        self.assertIn("(worker 0, counter 7)", parts["context_id"]["meaning"])
        self.assertIn("correct", parts["checksum"]["meaning"])

    def test_damaged_and_hostile_messages_get_the_verdict_of_the_independent_reader(self):
        tried = set()
        for message in samples.damaged(300, 2):
            trailer, outcome = self.agree(message)
            tried.add(outcome)
            if outcome == "layout":
                self.assertRegex(trailer["hints"][0], r"\d")
        self.assertGreaterEqual(len(tried), 6, tried)

    def test_noise_of_any_length_is_refused(self):
        chance = random.Random(3)
        for size in [*range(0, 40), 1000, 5000]:
            noise = chance.randbytes(size)
            footer = b"\x20\0\0\0\1\0\0\0abcd" + wire.MAGIC
            for message in (noise, noise + wire.MAGIC, noise + footer):
                self.assertNotEqual(self.agree(message)[1], "accepted")

    def test_the_wrong_byte_is_marked_and_the_text_says_what_to_do(self):
        message = wire.seal(bytes(100), wire.canonical_table({"from_worker_id": -2}))
        done = gradtail("inspect", self.file("bad.bin", message))
        text = done.stdout.decode()
        marked = [line for line in text.splitlines() if line.startswith(">")]
        self.assertEqual(len(marked), 1)
        self.assertIn("fe ff ff ff", marked[0])
        self.assertIn("from_worker_id", marked[0])
        offset = int(marked[0].split()[1])
        self.assertRegex(text, f"refused: invalid at byte {offset}: from_worker_id .*; found -2\n")
        self.assertIn("check: values, field: from_worker_id", text)
        self.assertIn("receiver: the sender has a bug or is hostile: refuse it", text)
        self.assertEqual(done.returncode, 1)
        self.assertTrue(text.isascii())

    def test_hints_find_what_happened(self):
        message = wire.write(b"hello" * 20, FORWARD)

        def hint(changed):
            return "".join(inspected(changed)[0]["trailers"][0]["hints"])

        self.assertIn("complete message ends at byte 164, and 9 more", hint(message + bytes(9)))
        self.assertIn("payload of 100 bytes, not 99", hint(message[1:]))
        self.assertIn("payload of 100 bytes, not 103", hint(b"abc" + message))
        self.assertIn("64 bytes, but only 40 are there", hint(message[-40:]))
        for at in (100, 108, 140, 147, 156, 159):
            self.assertIn(f"bit 4 of byte {at} was flipped", hint(flipped(message, at, 0x10)))
        for at in (-1, -4, -9, -10, -12):
            self.assertIn("would be accepted", hint(flipped(message, at, 0x10)), at)
        self.assertEqual(hint(bytes(200)), "")

    def test_stacked_trailers_are_shown_with_all(self):
        message = wire.write(wire.write(b"hello", {"context_id": 1}), {"context_id": 2})
        one, _ = inspected(message)
        every, status = inspected(message, "--all")
        self.assertEqual([t["metadata"]["context_id"] for t in one["trailers"]], [2])
        self.assertEqual([t["metadata"]["context_id"] for t in every["trailers"]], [2, 1])
        self.assertEqual(status, 0)
        inner = flipped(wire.write(b"hello", {"context_id": 1}), 10)
        every, status = inspected(wire.write(inner, {}), "--all")
        self.assertEqual([t["accepted"] for t in every["trailers"]], [True, False])
        self.assertEqual(status, 1)

    def test_a_detached_trailer_is_opened_with_the_size_of_its_payload(self):
        trailer = wire.write(b"hello", EVERY)[5:]
        report, status = inspected(trailer, "--payload-size", 5)
        self.assertEqual(verdict(report["trailers"][0])[1], samples.verdict(b"hello" + trailer)[1])
        self.assertEqual(status, 0)
        report, status = inspected(trailer, "--payload-size", 6)
        self.assertEqual(report["trailers"][0]["error"]["check"], "checksum")
        self.assertRegex(report["trailers"][0]["error"]["text"], "; found( [0-9A-F]{2}){4}$")
        self.assertIn("payload of 5 bytes, not 6", report["trailers"][0]["hints"][0])

    def test_colors_are_for_terminals_and_no_color_is_respected(self):
        file = self.file("bad.bin", wire.seal(b"", wire.canonical_table({"from_worker_id": -2})))

        def on_terminal(env):
            leader, follower = pty.openpty()
            environment = {**os.environ, "TERM": "xterm", **env}
            subprocess.run([PROGRAM, "inspect", file], stdout=follower, env=environment, timeout=60)
            os.close(follower)
            return os.read(leader, 1 << 16)

        self.assertIn(b"\x1b[1;37;41mfe\x1b[0m", on_terminal({"NO_COLOR": ""}))
        self.assertNotIn(b"\x1b", on_terminal({"NO_COLOR": "1"}))
        self.assertNotIn(b"\x1b", gradtail("inspect", file).stdout)
        self.assertIn(b"\x1b", gradtail("inspect", "--color", "always", file).stdout)


class Text(Folder):
    """Hex and base64 as people paste them."""

    MESSAGE = wire.write(b"hello\0\0abc12 |", EVERY)

    def dump(self, size, offset, group, characters):
        lines = []
        for at in range(0, len(self.MESSAGE), size):
            row = self.MESSAGE[at : at + size]
            digits = " ".join(row[i : i + group].hex() for i in range(0, len(row), group))
            text = "".join(chr(b) if 32 <= b < 127 else "." for b in row)
            width = size * 2 + (size // group) - 1
            lines.append(offset(at) + digits.ljust(width) + characters(text))
        return "\n".join(lines) + "\n"

    def forms(self):
        m = self.MESSAGE
        yield "plain", m.hex()
        yield "upper", m.hex(" ").upper()
        yield "colons", m.hex(":")
        yield "wrapped", "\n".join(m.hex()[i : i + 60] for i in range(0, 2 * len(m), 60))
        yield "C array", "{" + ", ".join(f"0x{b:x}" for b in m) + "};"
        yield "escapes", '"' + "".join(f"\\x{b:02x}" for b in m) + '"'
        yield "xxd", self.dump(16, "{:08x}: ".format, 2, lambda text: "  " + text)
        yield "xxd -g1", self.dump(10, "{:08x}: ".format, 1, lambda text: "  " + text)
        yield "hexdump -C", self.dump(16, "{:08x}  ".format, 1, lambda text: f"  |{text}|") + (
            f"{len(m):08x}\n")
        yield "od -tx1", self.dump(16, "{:07o} ".format, 1, lambda text: "") + f"{len(m):07o}\n"
        yield "Wireshark", self.dump(16, "{:04x}   ".format, 1, lambda text: "   " + text)
        yield "base64", base64.b64encode(m).decode()
        yield "base64 wrapped", base64.encodebytes(m).decode()
        yield "base64 url", base64.urlsafe_b64encode(m).decode().rstrip("=")

    def test_every_form_gives_the_message(self):
        for name, text in self.forms():
            done = gradtail("inspect", "--json", "-", stdin=text.encode())
            self.assertEqual(done.stderr, b"", name)
            report = json.loads(done.stdout)
            self.assertEqual(verdict(report["trailers"][0]), samples.verdict(self.MESSAGE), name)
            self.assertEqual(report["encoding"], "base64" if "base64" in name else "hex")

    def test_lines_left_out_for_a_star_are_put_back(self):
        message = wire.write(bytes(128), FORWARD)
        rest = "".join(f"{at:08x}: {message[at:at + 16].hex(' ')}\n" for at in range(128, 192, 16))
        text = f"00000000: {bytes(16).hex(' ')}\n*\n{rest}"
        report = json.loads(gradtail("inspect", "--json", "-", stdin=text.encode()).stdout)
        self.assertEqual(report["trailers"][0]["payload_size"], 128)

    def test_the_worked_messages_of_the_format_can_be_pasted(self):
        page = (ROOT / "schema" / "FORMAT.md").read_text()
        blocks = re.findall(r"```hex\n(.*?)```", page, re.DOTALL)
        self.assertGreaterEqual(len(blocks), 4)
        for block in blocks:
            self.assertEqual(gradtail("inspect", "-", stdin=block.encode()).returncode, 0, block)
