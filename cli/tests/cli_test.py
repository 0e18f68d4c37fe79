# SPDX-License-Identifier: Apache-2.0
"""gradtail check, make and strip; every command's options and what it says of wrong ones."""

import pathlib
import random
import re
import subprocess

from program import PROGRAM, ROOT, Folder, gradtail, wire  # which finds samples, too
from samples import EVERY, flipped, verdict


class Check(Folder):
    def test_a_directory_of_thousands_is_checked_in_one_call(self):
        chance = random.Random(4)
        outcomes = {}
        for i in range(3000):
            message = wire.write(b"payload"[: i % 8], {"context_id": i})
            if i % 3 == 0:
                at = chance.randrange(i % 8, len(message))
                message = flipped(message, at, 1 << chance.randrange(8))
            outcomes[f"{i:04}"] = verdict(message)
            self.file(f"{i:04}", message)
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
            "--wrapped-message-type", 271, "--device", "cuda:1=cpu", "--device", "1:0=1:1",
            "--retain-graph", "--rref-created-on", 3, "--rref-local-id", 9,
            "--payload-text", "hello", "-o", path)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertEqual(path.read_bytes(), wire.write(b"hello", {**EVERY, "context_id": (1 << 48) + 5}))
        payload = self.file("payload", b"hello")
        piped = gradtail("make", "--context-id", 7, "--payload", payload).stdout
        self.assertEqual(piped, wire.write(b"hello", {"context_id": 7}))
        decimal = gradtail("make", "--context-id", "010", "--from-worker-id", "010",
                           "--wrapped-message-type", "010", "--rref-created-on", "010").stdout
        self.assertEqual(decimal, wire.write(b"", {"context_id": 10, "from_worker_id": 10,
                                                   "wrapped_message_type": 10,
                                                   "rref_created_on": 10}))
        detached = gradtail("make", "--context-id", 7, "--detached", 5).stdout
        self.assertEqual(detached, piped[5:])

    def test_strip_takes_apart_what_make_put_together(self):
        message = wire.write(b"hello", EVERY)
        file = self.file("message.bin", message)
        payload, trailer = self.folder / "payload", self.folder / "trailer"
        done = gradtail("strip", file, "--payload", payload, "--trailer", trailer)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(payload.read_bytes() + trailer.read_bytes(), message)
        self.assertEqual(payload.read_bytes(), b"hello")


class Program(Folder):
    def test_every_outcome_has_its_status_and_its_words(self):
        message = wire.write(b"hello", EVERY)
        good, bad = self.file("good", message), self.file("bad", message[:-1])
        empty = self.folder / "empty"
        empty.mkdir()
        size = len(message) - 5
        # Arguments, standard input, exit status, and what must be on standard output and error.
        for arguments, text, status, printed, said in (
            (["inspect", "--limit", size, good], "", 0, "accepted: {", ""),
            (["inspect", "--limit", size - 8, good], "", 1, "refused: too_large at byte", ""),
            (["inspect", "--json", "-"], "text, no trailer", 1, '"encoding": "raw"', ""),
            (["inspect", "-"], "00000000: 6865\n00000010: 6c6c\n", 2, "", "line 2"),
            (["inspect", "-"], "00000000  68 65 6c\nabc\n", 2, "", "line 2"),
            (["inspect", "-"], "0000000" + 8 * " 6568", 2, "", "hexdump -C"),
            (["inspect", "--from", "hex", "-"], "6", 2, "", "odd number of digits"),
            (["inspect", "--from", "hex", "-"], "zz", 2, "", "'zz' isn't hex"),
            (["inspect", "--from", "base64", "-"], "abc=d", 2, "", "isn't base64"),
            (["inspect", "--from", "base64", "-"], "a", 2, "", "isn't base64"),
            (["inspect", self.folder / "none"], "", 2, "", "cannot open"),
            (["check", good], "", 0, "good: accepted, payload of 5 bytes, {", ""),
            (["check", "--quiet", good], "", 0, "", ""),
            (["check", good, bad], "", 1, " 47 54 4C\n", "1 accepted, 1 refused"),
            (["check", good, self.folder / "none"], "", 2, "good", "1 not read"),
            (["check", empty], "", 2, "", "no files in"),
            (["strip", good, "--payload", "-"], "", 0, "hello", ""),
            (["strip", bad, "--payload", "-"], "", 1, "", " 47 54 4C\n"),
            (["strip", good], "", 2, "", "say where to write"),
            (["make", "--context-id", -5], "", 2, "", "context_id"),
            (["make", "--context-id", "7x"], "", 2, "", "--context-id: '7x' is not an id"),
            (["make", "--context-id", "40000:1"], "", 2, "", "worker"),
            (["make", "--device", "cuda:0"], "", 2, "", "SOURCE=TARGET"),
            (["make", "--device", "cuda:300=cpu"], "", 2, "", "'300' is not a device"),
            (["make", "--device", "cpu=cuda:0", "--device", "cpu=cuda:1"], "", 2, "", "device_map"),
            (["make", "--wrapped-message-type", 2**32], "", 2, "", "--wrapped-message-type"),
            (["make", "--from-worker-id", 2**31], "", 2, "", "--from-worker-id"),
            ([], "", 2, "", "subcommand is required"),
            (["none"], "", 2, "", "subcommand is required"),
            (["inspect"], "", 2, "", "file is required"),
            (["check"], "", 2, "", "files is required"),
            (["inspect", "--none", good], "", 2, "", "--none"),
            (["inspect", "--from", "octal", "-"], "", 2, "", "octal"),
            (["inspect", "--limit", 65537, "-"], "", 2, "", "65537 not in range"),
            (["--version"], "", 0, "gradtail 0.", ""),
        ):
            done = gradtail(*arguments, stdin=text.encode())
            with self.subTest(arguments):
                self.assertEqual(done.returncode, status)
                for words, stream in ((printed, done.stdout), (said, done.stderr)):
                    self.assertIn(words.encode(), stream)
                    self.assertEqual(not words, not stream, "what is said, and nothing else")

    def test_completion_and_the_manual_page_have_every_command_option_and_choice(self):
        manual = (ROOT / "cli" / "gradtail.1").read_text().replace("Fl -", "--")

        def complete(*words):
            script = (f"source {ROOT}/cli/gradtail.bash; COMP_WORDS=({PROGRAM} {' '.join(words)}); "
                      f"COMP_CWORD={len(words)}; _gradtail; echo ${{COMPREPLY[@]}}")
            return subprocess.run(["bash", "-c", script], capture_output=True, text=True).stdout

        self.assertIn("inspect check make strip", complete("''"))
        self.assertEqual(complete("inspect", "--from", "''"), "auto raw hex base64\n")
        self.assertEqual(complete("make", "--device", "''"), "\n")
        self.assertIn(str(self.file("message.bin", b"")),
                      complete("strip", "--payload", f"{self.folder}/"))
        for command in ("inspect", "check", "make", "strip"):
            help_text = gradtail(command, "--help").stdout.decode()
            options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", help_text))
            self.assertGreater(len(options), 3)
            self.assertEqual(set(complete(command, "--").split()), options)
            for option in options:
                self.assertIn(option, manual, command)
