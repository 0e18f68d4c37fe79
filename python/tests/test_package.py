# SPDX-License-Identifier: Apache-2.0
"""What comes with the package: types, documentation, examples, the library's enumerators."""

import doctest
import inspect
import pathlib
import re
import subprocess
import sys

import pytest

import gradtail

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "python" / "examples").glob("*.py"))


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_short_and_runs(example: pathlib.Path) -> None:
    if "zmq" in example.stem:
        pytest.importorskip("zmq")
    assert len(example.read_text().splitlines()) <= 22  # 20 and the two lines of every file
    assert run(sys.executable, str(example)) == "context 7: gradients\n"


def test_there_are_two_examples() -> None:
    assert [example.stem for example in EXAMPLES] == ["asyncio_stream", "zmq_frames"]


@pytest.mark.parametrize("what", [["-p", "gradtail"], ["python/tests", "python/examples"]])
def test_types_pass_mypy_strict(what: list[str]) -> None:
    pytest.importorskip("mypy")
    run(sys.executable, "-m", "mypy", "--strict", *what)


def test_the_documented_code_does_what_it_says() -> None:
    assert doctest.testmod(gradtail).attempted > 0
    assert doctest.testmod(gradtail).failed == 0
    page = doctest.testfile(
        str(ROOT / "docs" / "python.md"), module_relative=False, optionflags=doctest.ELLIPSIS
    )
    assert page.attempted > 0
    assert page.failed == 0


def test_everything_public_has_a_docstring() -> None:
    for name in gradtail.__all__:
        thing = getattr(gradtail, name)
        if name != "__version__":
            assert inspect.getdoc(thing), name
        for member, value in vars(thing).items() if isinstance(thing, type) else ():
            if isinstance(value, property):
                assert inspect.getdoc(value), f"{name}.{member}"


@pytest.mark.parametrize("enum", [gradtail.Code, gradtail.Check, gradtail.Field])
def test_the_enumerators_are_those_of_the_library(enum: type[gradtail.Code]) -> None:
    header = (ROOT / "include" / "gradtail" / "error.hpp").read_text()
    body = re.search(rf"enum class {enum.__name__} .*?\{{(.*?)\}};", header, re.DOTALL)
    assert body
    numbers = {name: int(number) for name, number in re.findall(r"(\w+) = (\d+)", body[1])}
    assert {member.name: member.value for member in enum} == numbers


def test_the_package_does_not_import_pytorch_or_numpy() -> None:
    code = "import gradtail, sys; print(sorted({'torch', 'numpy'} & set(sys.modules)))"
    assert run(sys.executable, "-c", code) == "[]\n"
