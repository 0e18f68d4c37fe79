# SPDX-License-Identifier: Apache-2.0
"""Groups of PyTorch workers, each a process of its own, plain or preloaded."""
import ctypes
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

WAYS = ["none", "read", "write", "only"]
PLAIN = {key: value for key, value in os.environ.items()
         if not key.startswith("GRADTAIL_") and key not in ("CXX", "LD_PRELOAD", "PYTHONPATH")}


def command(*words, **variables):
    """The status and the output of a command."""
    done = subprocess.run(list(map(str, words)), env={**PLAIN, **variables}, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600, check=False)
    return done.returncode, done.stdout


def environment(way, library):
    """Of a process without the library ("none"), or with it in the mode of that name ("older", of a
    library of an older release: as it comes)."""
    made = dict(PLAIN)
    if way != "none":
        made.update(LD_PRELOAD=str(library), GRADTAIL_PYTORCH="write" if way == "older" else way)
    return made


def expected_status(rank, killed):
    return -signal.SIGKILL if rank in killed else 0


def run(script, ways, library, *arguments, limit=300, killed=(), show=(),
        libraries=None):
    """Runs `script RANK SIZE STORE ARGUMENT...` in each way, and returns what each printed, as
    JSON. The ranks in `killed` are to end by SIGKILL; the errors of those in `show` aren't kept but
    shown as they come. `libraries` has the library of some ways, where it isn't `library`. All
    processes have ended when this returns."""
    with tempfile.TemporaryDirectory() as made:
        folder, processes, deadline = pathlib.Path(made), [], time.monotonic() + limit
        try:
            for rank, way in enumerate(ways):
                command = [sys.executable, "-W", "ignore", script, str(rank), str(len(ways)),
                           str(folder / "store"), *map(str, arguments)]
                with open(folder / f"{rank}.out", "w", encoding="utf-8") as out, \
                        open(folder / f"{rank}.err", "w", encoding="utf-8") as err:
                    processes.append(subprocess.Popen(
                        command, env=environment(way, (libraries or {}).get(way, library)),
                        stdin=subprocess.DEVNULL, stdout=out,
                        stderr=None if rank in show else err))
            while any(process.poll() is None for process in processes):
                failed = [process for rank, process in enumerate(processes)
                          if process.poll() not in (None, expected_status(rank, killed))]
                if failed or time.monotonic() > deadline:
                    break  # the others would wait for it
                time.sleep(0.05)
        finally:
            for process in processes:
                process.kill()
                process.wait()
            said = [[(folder / f"{rank}.{kind}").read_text(encoding="utf-8", errors="replace")
                     for kind in ("out", "err")] for rank in range(len(processes))]
            expected = [expected_status(rank, killed) for rank in range(len(processes))]
            for process, status, (_, errors) in zip(processes, expected, said):
                if process.returncode != status:
                    print(f"worker ended with {process.returncode}:\n{errors[-3000:]}",
                          file=sys.stderr)
    if [process.returncode for process in processes] != expected:
        raise RuntimeError("a worker failed")
    # PyTorch 2.9's Gloo prints, too.
    lines = [[line for line in output.splitlines() if not line.startswith("[Gloo]")]
             for output, _ in said]
    return [json.loads(line[0]) if line else None for line in lines]


def main(worker, case):
    """Runs `worker(RANK, SIZE, STORE, ARGUMENT...)` where run() has started this script, and prints what
    it returns; otherwise the test case, whose `files` are the paths in the command line."""
    if sys.argv[1].isdigit():
        rank, size, *arguments = sys.argv[1:]
        print(json.dumps(worker(int(rank), int(size), *arguments)), flush=True)
    else:
        case.files = [pathlib.Path(path).resolve() for path in sys.argv[1:]]
        unittest.main(argv=sys.argv[:1], verbosity=2)


def join(name, rank, size, store):
    """Called in a worker: joins the group."""
    from torch.distributed import rpc
    options = rpc.TensorPipeRpcBackendOptions(init_method=f"file://{store}", rpc_timeout=60)
    rpc.init_rpc(name, rank=rank, world_size=size, rpc_backend_options=options)
    return rpc


def counts():
    """Called in a worker: trailers sent and received, pickles sent and received, payloads copied.
    Zeros without the library."""
    try:
        function = ctypes.CDLL(None).gradtail_pytorch_counts
    except AttributeError:
        return [0] * 5
    function.restype = ctypes.POINTER(ctypes.c_uint64)
    return function()[:5]
