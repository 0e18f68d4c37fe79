# SPDX-License-Identifier: Apache-2.0
"""Runs a command for a test, in an environment that this build didn't change."""

import os
import subprocess


def clean_environment(**more):
    ours = ("DESTDIR", "LD_LIBRARY_PATH", "MAKEFLAGS", "PKG_CONFIG_PATH")
    return {name: value for name, value in os.environ.items() if name not in ours} | more


def run(*command, expected=0, env=None, cwd=None):
    """Returns what the command printed; its exit status must be as expected."""
    command = [str(word) for word in command]
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False, env=env or clean_environment(), cwd=cwd)
    assert done.returncode == expected, (
        f"{' '.join(command)}: exit status {done.returncode}, not {expected}\n{done.stdout}")
    return done.stdout
