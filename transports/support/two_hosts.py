#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs an example on two hosts: network namespaces with an address of their own each, and a cable
(veth) between them. Needs root, or a system where users may make namespaces; skips otherwise."""

import argparse
import os
import shutil
import signal
import subprocess
import sys

SKIPPED = 77
NEAR, FAR, PORT = "192.0.2.1", "192.0.2.2", 29500  # addresses of RFC 5737, for examples
SECONDS = 60

# Each example: what the near host runs, and what the far one. A server is stopped at the end.
EXAMPLES = {
    "grpc_stream": (["--listen", f"{NEAR}:{PORT}"], ["--connect", f"{NEAR}:{PORT}"]),
    "torch_two_workers": (["--rank", "0", "--host", NEAR, "--interface", "near"],
                          ["--rank", "1", "--host", NEAR, "--interface", "far"]),
}


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(SKIPPED)


def enter_namespaces():
    """Runs this script once more in namespaces of its own, where it may do as it likes."""
    for tool in ("ip", "unshare", "nsenter"):
        if shutil.which(tool) is None:
            skip(f"there is no {tool} (Debian packages: iproute2, util-linux)")
    enter = ["unshare", "--net", "--pid", "--mount-proc", "--fork", "--kill-child"]
    if os.geteuid() != 0:
        enter.insert(1, "--map-root-user")
    tried = subprocess.run(enter + ["true"], capture_output=True, text=True)
    if tried.returncode != 0:
        skip(f"network namespaces are not permitted here ({tried.stderr.strip()})")
    os.environ["GRADTAIL_TWO_HOSTS"] = "entered"
    os.execvp(enter[0], enter + [sys.executable, *sys.argv])


def run(*command, wrong=sys.exit):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        wrong(f"'{' '.join(command)}' failed: {done.stderr.strip()}")


class FarHost:
    """A second network namespace, on the other end of the cable."""

    def __init__(self):
        self.holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; exec sleep 600"],
                                       stdout=subprocess.PIPE)
        self.holder.stdout.readline()
        self.enter = ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net"]

    def connect(self):
        run("ip", "link", "add", "near", "type", "veth", "peer", "name", "far", wrong=skip)
        run("ip", "link", "set", "far", "netns", str(self.holder.pid))
        for enter, cable, address in ([], "near", NEAR), (self.enter, "far", FAR):
            run(*enter, "ip", "address", "add", f"{address}/24", "dev", cable)
            run(*enter, "ip", "link", "set", cable, "up")
            run(*enter, "ip", "link", "set", "lo", "up")


def start(command):
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(name, process, expected):
    """Waits for a process and shows what it printed."""
    try:
        output, _ = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
        output += f"\nkilled after {SECONDS} seconds"
    print(f"--- {name}: exit status {process.returncode}\n{output}", flush=True)
    return process.returncode == expected


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", help=f"a built example: {', '.join(EXAMPLES)}")
    program = os.path.abspath(parser.parse_args().program)
    if "GRADTAIL_TWO_HOSTS" not in os.environ:
        enter_namespaces()
    near_arguments, far_arguments = EXAMPLES[os.path.basename(program)]
    is_server = "--listen" in near_arguments
    far_host = FarHost()
    far_host.connect()
    near = start([program, *near_arguments])
    if is_server:
        print(near.stdout.readline(), end="")  # it listens
    far = start([*far_host.enter, program, *far_arguments])
    good = finish(f"on {FAR}", far, 0)
    if is_server:
        near.terminate()
    good = finish(f"on {NEAR}", near, -signal.SIGTERM if is_server else 0) and good
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
