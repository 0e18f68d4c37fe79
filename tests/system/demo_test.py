#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the demo as a user would: demo_test.py PATH_TO_two_workers."""

import pathlib
import re
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "examples" / "support"))
import testing  # noqa: E402

HEADER = "sepal_length,sepal_width,petal_length,petal_width,species\n"


class Demo(testing.TwoWorkersTest):
    long_run = "--epochs=10000000"
    hang_notice, hang_notice_s = "worker 0: worker 1 sent nothing", 5

    def number(self, name, result):
        """The number in a line of the summary."""
        found = re.search(rf"^  {name} +([0-9.e+-]+)", result.stdout, re.MULTILINE)
        self.assertTrue(found, result.stdout + result.stderr)
        return float(found[1])

    def train(self, *arguments, rejected):
        result = self.run_program(*arguments)
        self.assertEqual(self.number("messages rejected", result), rejected, result)
        self.assertLess(self.number("largest gradient difference", result), 1e-9)
        return result

    def test_a_default_run_passes_and_reports_everything(self):
        result = self.train(rejected=1)
        self.expect(result, 0)
        self.assertGreater(self.number("training accuracy", result), 95)
        self.assertEqual(self.number("steps compared", result), 200)
        self.assertGreater(self.number("messages sent", result), 200 * (2 * 8 + 1))
        self.assertGreater(self.number("bytes sent", result), 0)
        self.assertTrue(32 <= self.number("trailer bytes per message", result) <= 64)
        self.assertEqual(result.stdout.count("epoch"), 11)
        self.assertTrue(result.stdout.splitlines()[-1].startswith("PASS"), result.stdout)

    def test_without_a_fault_nothing_is_rejected(self):
        self.expect(self.train("--fault", "none", rejected=0), 0)

    def test_a_damaged_message_is_named_dropped_and_sent_again(self):
        result = self.train("--fault=damage", rejected=1)
        self.expect(result, 0)
        refusal = r"^worker 0: frame 5 from worker 1 refused: \w+ at byte \d+: .*asked for again$"
        self.assertEqual(len(re.findall(refusal, result.stdout, re.MULTILINE)), 1, result.stdout)

    def test_damage_to_any_message_of_a_run_is_repaired(self):
        # With one step of 8 passes, both workers send 10 messages: the last ones end the training.
        for worker in "01":
            for frame in range(10):
                self.train("--epochs=1", "--in-flight=8", f"--fault=damage:{worker}:{frame}",
                           f"--seed={frame}", rejected=1)

    def test_damage_in_the_middle_of_training_is_repaired(self):
        self.expect(self.train("--fault=damage:0:1234", "--fault=damage:1:777", rejected=2), 0)

    def test_damage_to_a_request_to_resend_is_repaired(self):
        # The fourth frame is damaged; frame 8 of the other worker is the request to send it again.
        result = self.train("--epochs=1", "--in-flight=8", "--fault=damage:1:3",
                            "--fault=damage:0:8", rejected=2)
        self.assertIn("frame 8 from worker 0 refused", result.stdout)

    def test_swapped_ids_are_found_by_the_gradient_check_alone(self):
        for seed in "123":
            result = self.run_program("--fault", "swap", "--seed", seed)
            self.expect(result, 1, "NOT MET", "FAIL: the gradients")
            self.assertEqual(self.number("messages rejected", result), 0)
            self.assertGreater(self.number("largest gradient difference", result), 1e-9)
            self.assertGreater(self.number("training accuracy", result), 95)

    def test_any_number_in_flight_trains(self):
        for in_flight in ("8", "37", "150"):
            self.expect(self.run_program("--in-flight", in_flight, "--seed", in_flight), 0)

    def test_answers_come_in_another_order_than_the_passes(self):
        result = self.run_program("--verbose", "--epochs=1", "--fault=none", "--in-flight=20")
        pattern = r"worker {} frame \d+, {}, .*message_id: (\d+)"
        sent = re.findall(pattern.format("0 sent", "activations"), result.stdout)
        answered = re.findall(pattern.format("0 received", "gradients"), result.stdout)
        self.assertEqual(len(sent), 20, result.stdout)
        self.assertNotEqual(sent, answered)
        self.assertEqual(sorted(sent), sorted(answered))

    def test_help_lists_every_option(self):
        self.expect_help("epochs", "in-flight", "seed", "fault", "verbose", "data")

    def test_wrong_arguments_are_named_with_what_they_may_be(self):
        self.expect_wrong_arguments(
            (["--epoch", "3"], "--epoch"),
            (["extra"], "extra"),
            (["--epochs"], "--epochs: 1 required"),
            (["--epochs", "0"], "--epochs: Value 0 not in range 1 to 10000000"),
            (["--epochs", "3x"], "--epochs: Value 3x not in range 1 to 10000000"),
            (["--in-flight=7"], "--in-flight: Value 7 not in range 8 to 150"),
            (["--seed", "-1"], "--seed"),
            (["--fault", "all"], "none, damage, damage:W:N"),
            (["--fault", "damage:1"], "such as damage:1:5"),
            (["--fault", "damage:2:1"], "W is 0 or 1"),
            (["--fault", "damage:1:5x"], "not 'damage:1:5x'"))

    def test_unusable_data_are_named(self):
        with tempfile.TemporaryDirectory() as folder:
            data = pathlib.Path(folder, "data.csv")
            self.expect(self.run_program("--data", str(data)), 1, "can't open")
            for text, named in (
                ("", "only 0 flowers"),
                ("a,b\n", ":1: "),
                (HEADER + "1,2,3,4,setosa\n1,2,x,4,setosa\n", ":3: 'x' is not a number"),
                (HEADER + "1,2,3,4,rose\n", ":2: 'rose' is none of"),
                (HEADER + "1,2,3,4,setosa\n", "only 1 flowers"),
            ):
                data.write_text(text)
                self.expect(self.run_program("--data", str(data)), 1, named)


if __name__ == "__main__":
    testing.main()
