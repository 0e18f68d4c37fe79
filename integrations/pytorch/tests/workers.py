# SPDX-License-Identifier: Apache-2.0
"""Groups of PyTorch workers, each a process of its own, plain or preloaded."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

WAYS = ["none", "read", "write", "only"]


def environment(way, library):
    """Of a process without the library ("none"), or with it in the mode of that name."""
    made = {key: value for key, value in os.environ.items() if not key.startswith("GRADTAIL_")}
    if way != "none":
        made.update(LD_PRELOAD=str(library), GRADTAIL_PYTORCH=way)
    return made


def run(script, ways, library, *arguments, limit=120):
    """Runs `script RANK SIZE STORE ARGUMENT...` in each way, and returns what each printed, as
    JSON. Whatever happens, none of them outlives this."""
    with tempfile.TemporaryDirectory() as folder:
        store = pathlib.Path(folder) / "store"
        processes = []
        try:
            for rank, way in enumerate(ways):
                command = [sys.executable, "-W", "ignore", script, str(rank), str(len(ways)),
                           str(store), *map(str, arguments)]
                processes.append(subprocess.Popen(
                    command, env=environment(way, library), text=True, stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE))
            outputs = [process.communicate(timeout=limit) for process in processes]
        finally:
            for process in processes:
                process.kill()
                process.wait()
    for process, (_, errors) in zip(processes, outputs):
        if process.returncode != 0:
            raise RuntimeError(f"a worker ended with {process.returncode}:\n{errors[-3000:]}")
    return [json.loads(output) if output.strip() else None for output, _ in outputs]


def join(name, rank, size, store):
    """Called in a worker: joins the group."""
    from torch.distributed import rpc
    options = rpc.TensorPipeRpcBackendOptions(init_method=f"file://{store}", rpc_timeout=60)
    rpc.init_rpc(name, rank=rank, world_size=size, rpc_backend_options=options)
    return rpc
