#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs gradtail on good, bad and hostile messages, and on text that stands for them."""

import base64
import csv
import json
import os
import pathlib
import pty
import random
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden"
sys.path.insert(0, str(GOLDEN))
import wire  # noqa: E402

PROGRAM = os.path.abspath(sys.argv.pop(1) if len(sys.argv) > 1 else "gradtail")
FORWARD = {"context_id": (1 << 48) + 5, "message_id": (2 << 48) + 7, "from_worker_id": 2,
           "wrapped_message_type": 271}
EVERY = {**FORWARD, "device_map": [((1, 0), (1, 1)), ((1, 1), (1, 0))], "retain_graph": 1,
         "rref_created_on": 3, "rref_local_id": 9}


def gradtail(*arguments, stdin=b"", env=None):
    command = [PROGRAM, *map(str, arguments)]
    environment = {**os.environ, **(env or {})}
    return subprocess.run(command, input=stdin, capture_output=True, timeout=60, env=environment)


def inspected(message, *arguments):
    """The JSON of a message, and the exit status."""
    done = gradtail("inspect", "--json", "--from", "raw", *arguments, "-", stdin=message)
    return json.loads(done.stdout), done.returncode


def expected(message, limit=wire.DEFAULT_LIMIT):
    """What the independent reader says, as the program prints it."""
    try:
        payload, fields = wire.read(message, limit)
    except wire.Refused as e:
        return (e.code, e.check, e.field, e.offset)
    if "device_map" in fields:
        fields["device_map"] = [[list(s), list(t)] for s, t in fields["device_map"]]
    if "retain_graph" in fields:
        fields["retain_graph"] = True
    return len(payload), fields


def verdict(trailer):
    if trailer["accepted"]:
        return trailer["payload_size"], trailer["metadata"]
    error = trailer["error"]
    return tuple(error[key] for key in ("code", "check", "field", "offset"))


class Folder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def file(self, name, content):
        path = self.folder / name
        path.write_bytes(content)
        return path


class Inspect(Folder):
    def test_golden_messages_are_accepted_and_every_byte_is_in_a_part(self):
        files = sorted((GOLDEN / "v1").glob("*.bin"))
        self.assertGreater(len(files), 150)
        for file in random.Random(1).sample(files, 40) + files[:20]:
            message = file.read_bytes()
            report, status = inspected(message)
            trailer = report["trailers"][0]
            self.assertEqual((verdict(trailer), status), (expected(message), 0), file.name)
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
        self.assertEqual(parts["pair 1"]["meaning"], "cuda:1 -> cuda:0")
        self.assertIn("(worker 1, counter 5)", parts["context_id"]["meaning"])
        self.assertIn("correct", parts["checksum"]["meaning"])

    def test_damaged_and_hostile_messages_get_the_verdict_of_the_independent_reader(self):
        chance = random.Random(2)
        tried = set()
        for _ in range(300):
            message = bytearray(wire.write(b"payload", chance.choice([FORWARD, EVERY, {}])))
            table = bytearray(message[7:-16])
            for _ in range(chance.randint(1, 2)):
                if chance.random() < 0.7:
                    table[chance.randrange(len(table))] = chance.choice([0, 1, 2, 255, 254, 8])
                    message = bytearray(wire.seal(b"payload", bytes(table)))
                else:
                    message[chance.randrange(len(message))] ^= 1 << chance.randrange(8)
            report, status = inspected(bytes(message))
            outcome = expected(bytes(message))
            self.assertEqual(verdict(report["trailers"][0]), outcome, message.hex())
            self.assertEqual(status, 0 if len(outcome) == 2 else 1)
            tried.add(outcome[1] if len(outcome) == 4 else "accepted")
            if len(outcome) == 4 and outcome[1] == "layout":
                self.assertRegex(report["trailers"][0]["hints"][0], r"\d")
        self.assertGreaterEqual(len(tried), 6, tried)

    def test_noise_of_any_length_is_refused(self):
        chance = random.Random(3)
        for size in [*range(0, 40), 1000, 5000]:
            noise = chance.randbytes(size)
            footer = b"\x20\0\0\0\1\0\0\0abcd" + wire.MAGIC
            for message in (noise, noise + wire.MAGIC, noise + footer):
                report, status = inspected(message)
                self.assertEqual((verdict(report["trailers"][0]), status), (expected(message), 1))

    def test_the_wrong_byte_is_marked_and_the_text_says_what_to_do(self):
        message = wire.seal(bytes(100), wire.canonical_table({"from_worker_id": -2}))
        done = gradtail("inspect", self.file("bad.bin", message))
        text = done.stdout.decode()
        marked = [line for line in text.splitlines() if line.startswith(">")]
        self.assertEqual(len(marked), 1)
        self.assertIn("fe ff ff ff", marked[0])
        self.assertIn("from_worker_id", marked[0])
        offset = int(marked[0].split()[1])
        self.assertIn(f"refused: invalid at byte {offset}: from_worker_id must be", text)
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
        self.assertIn("64 bytes, and 40 are there", hint(message[-40:]))
        for at in (0, 8, 40, 47, 56, 59):
            flipped = bytearray(message)
            flipped[100 + at] ^= 0x10
            self.assertIn(f"bit 4 of byte {100 + at} was flipped", hint(flipped), at)
        for at in (-1, -4, -9, -10, -12):
            flipped = bytearray(message)
            flipped[at] ^= 0x10
            self.assertIn("would be accepted", hint(flipped), at)
        self.assertEqual(hint(bytes(200)), "")

    def test_stacked_trailers_are_shown_with_all(self):
        message = wire.write(wire.write(b"hello", {"context_id": 1}), {"context_id": 2})
        one, _ = inspected(message)
        every, status = inspected(message, "--all")
        self.assertEqual([t["metadata"]["context_id"] for t in one["trailers"]], [2])
        self.assertEqual([t["metadata"]["context_id"] for t in every["trailers"]], [2, 1])
        self.assertEqual(status, 0)
        inner = bytearray(wire.write(b"hello", {"context_id": 1}))
        inner[10] ^= 1
        every, status = inspected(wire.write(bytes(inner), {}), "--all")
        self.assertEqual([t["accepted"] for t in every["trailers"]], [True, False])
        self.assertEqual(status, 1)

    def test_a_detached_trailer_is_opened_with_the_size_of_its_payload(self):
        trailer = wire.write(b"hello", EVERY)[5:]
        report, status = inspected(trailer, "--payload-size", 5)
        self.assertEqual(verdict(report["trailers"][0])[1], expected(b"hello" + trailer)[1])
        self.assertEqual(status, 0)
        report, status = inspected(trailer, "--payload-size", 6)
        self.assertEqual(report["trailers"][0]["error"]["check"], "checksum")
        self.assertIn("payload of 5 bytes, not 6", report["trailers"][0]["hints"][0])

    def test_the_limit_can_be_set(self):
        message = wire.write(b"", EVERY)
        self.assertEqual(inspected(message, "--limit", len(message))[1], 0)
        report, status = inspected(message, "--limit", len(message) - 8)
        self.assertEqual((report["trailers"][0]["error"]["code"], status), ("too_large", 1))

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
        yield "od -Ad -tx1", self.dump(16, "{:07d} ".format, 1, lambda text: "")
        yield "Wireshark", self.dump(16, "{:04x}   ".format, 1, lambda text: "   " + text)
        yield "base64", base64.b64encode(m).decode()
        yield "base64 wrapped", base64.encodebytes(m).decode()
        yield "base64 url", base64.urlsafe_b64encode(m).decode().rstrip("=")

    def test_every_form_gives_the_message(self):
        for name, text in self.forms():
            done = gradtail("inspect", "--json", "-", stdin=text.encode())
            self.assertEqual(done.stderr, b"", name)
            report = json.loads(done.stdout)
            self.assertEqual(verdict(report["trailers"][0]), expected(self.MESSAGE), name)
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

    def test_text_that_is_no_dump_is_refused_with_its_line(self):
        for text, part in [
            ("00000000: 6865\n00000010: 6c6c\n", b"line 2"),
            ("00000000  68 65 6c\nabc\n", b"line 2"),
            ("0000000 6568 6c6c 6568 6c6c 6568 6c6c 6568 6c6c\n", b"hexdump -C"),
        ]:
            done = gradtail("inspect", "-", stdin=text.encode())
            self.assertEqual(done.returncode, 2, text)
            self.assertIn(part, done.stderr)
        for text, encoding in [("6", "hex"), ("zz", "hex"), ("abc=d", "base64"), ("a", "base64")]:
            done = gradtail("inspect", "--from", encoding, "-", stdin=text.encode())
            self.assertEqual(done.returncode, 2, text)
            self.assertIn(b"gradtail: ", done.stderr)

    def test_text_that_is_neither_is_taken_as_it_is(self):
        done = gradtail("inspect", "--json", "-", stdin=b"just text, no trailer")
        self.assertEqual(json.loads(done.stdout)["encoding"], "raw")
        self.assertEqual(done.returncode, 1)


class Check(Folder):
    def test_each_file_has_a_line_and_the_status_says_whether_all_are_accepted(self):
        good = self.file("good.bin", wire.write(b"hello", FORWARD))
        bad = self.file("bad.bin", wire.write(b"hello", FORWARD)[:-1])
        done = gradtail("check", good, good)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(done.stdout.decode().count("good.bin: accepted, payload of 5 bytes, {"), 2)
        done = gradtail("check", good, bad)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"bad.bin: absent at byte 64: ", done.stdout)
        done = gradtail("check", "--quiet", good, bad)
        self.assertNotIn(b"good", done.stdout)
        self.assertEqual(gradtail("check", good, self.folder / "none").returncode, 2)

    def test_a_directory_of_thousands_is_checked_in_one_call(self):
        chance = random.Random(4)
        outcomes = {}
        for i in range(3000):
            message = bytearray(wire.write(b"payload"[: i % 8], {"context_id": i}))
            if i % 3 == 0:
                message[chance.randrange(i % 8, len(message))] ^= 1 << chance.randrange(8)
            outcomes[f"{i:04}"] = expected(bytes(message))
            self.file(f"{i:04}", bytes(message))
        done = gradtail("check", self.folder)
        lines = done.stdout.decode().splitlines()
        self.assertEqual(len(lines), 3000)
        self.assertEqual(lines, sorted(lines))
        for line in lines:
            path, text = line.split(": ", 1)
            outcome = outcomes[pathlib.Path(path).name]
            start = f"{outcome[0]} at byte {outcome[3]}" if len(outcome) == 4 else "accepted"
            self.assertTrue(text.startswith(start), (line, outcome))
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"2000 accepted, 1000 refused, 0 not read", done.stderr)


class MakeAndStrip(Folder):
    def test_make_writes_what_every_writer_must(self):
        path = self.folder / "made.bin"
        done = gradtail(
            "make", "--context-id", "1:5", "--message-id", (2 << 48) + 7, "--from-worker-id", 2,
            "--wrapped-message-type", 271, "--device", "cuda:1=cuda:0", "--device", "1:0=1:1",
            "--retain-graph", "--rref-created-on", 3, "--rref-local-id", 9,
            "--payload-text", "hello", "-o", path)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertEqual(path.read_bytes(), wire.write(b"hello", EVERY))
        payload = self.file("payload", b"hello")
        piped = gradtail("make", "--context-id", 7, "--payload", payload).stdout
        self.assertEqual(piped, wire.write(b"hello", {"context_id": 7}))
        detached = gradtail("make", "--context-id", 7, "--detached", 5).stdout
        self.assertEqual(detached, piped[5:])

    def test_make_refuses_what_no_message_can_hold(self):
        for arguments in (["--context-id", -5], ["--context-id", "7x"], ["--context-id", "40000:1"],
                          ["--device", "cuda:0"], ["--device", "cuda:300=cpu"],
                          ["--device", "cpu=cuda:0", "--device", "cpu=cuda:1"],
                          ["--wrapped-message-type", 2**32], ["--from-worker-id", 2**31]):
            done = gradtail("make", *arguments)
            self.assertEqual((done.returncode, done.stdout), (2, b""), arguments)
            self.assertTrue(done.stderr, arguments)

    def test_strip_takes_apart_what_make_put_together(self):
        message = wire.write(b"hello", EVERY)
        file = self.file("message.bin", message)
        payload, trailer = self.folder / "payload", self.folder / "trailer"
        done = gradtail("strip", file, "--payload", payload, "--trailer", trailer)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(payload.read_bytes() + trailer.read_bytes(), message)
        self.assertEqual(payload.read_bytes(), b"hello")
        self.assertEqual(gradtail("strip", file, "--payload", "-").stdout, b"hello")
        done = gradtail("strip", self.file("bad", message[:-1]), "--payload", payload)
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertIn(b"absent at byte", done.stderr)
        self.assertEqual(gradtail("strip", file).returncode, 2)


class Program(Folder):
    COMMANDS = ("inspect", "check", "make", "strip")

    def test_wrong_arguments_end_with_2_and_a_sentence(self):
        for arguments in ([], ["inspect"], ["check"], ["none"], ["inspect", "--none", "file"],
                          ["inspect", "--from", "octal", "-"], ["inspect", "--limit", 65537, "-"],
                          ["inspect", self.folder / "none"], ["check", self.folder]):
            done = gradtail(*arguments)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertTrue(done.stderr)
            self.assertEqual(done.stdout, b"")

    def test_help_manual_page_and_completion_have_every_option(self):
        manual = (ROOT / "cli" / "gradtail.1").read_text().replace("Fl -", "--")
        completion = (ROOT / "cli" / "gradtail.bash").read_text()
        for command in self.COMMANDS:
            done = gradtail(command, "--help")
            self.assertEqual(done.returncode, 0)
            text = done.stdout.decode()
            self.assertIn("Examples:", text)
            options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text.split("Examples:")[0]))
            self.assertGreater(len(options), 3)
            listed = completion.split(f"{command})")[1].split(";;")[0]
            for option in options:
                self.assertIn(option, manual, command)
                self.assertIn(option, listed, command)

    def test_completion_offers_commands_options_and_choices(self):
        def complete(*words):
            script = (f"source {ROOT}/cli/gradtail.bash; COMP_WORDS=({' '.join(words)} ''); "
                      f"COMP_CWORD={len(words)}; _gradtail; echo ${{COMPREPLY[@]}}")
            return subprocess.run(["bash", "-c", script], capture_output=True, text=True).stdout

        self.assertIn("inspect check make strip", complete("gradtail"))
        self.assertEqual(complete("gradtail", "inspect", "--from"), "auto raw hex base64\n")

    def test_the_version_is_printed(self):
        self.assertRegex(gradtail("--version").stdout.decode(), r"^gradtail \d+\.\d+\.\d+\n$")


if __name__ == "__main__":
    unittest.main()
