# SPDX-License-Identifier: Apache-2.0
"""Training as users write it, on three workers: what each function returns is what training_test.py
compares."""
import os
import signal
import threading

import torch
from torch.distributed import autograd, rpc
from torch.distributed.optim import DistributedOptimizer
from torch.nn.functional import mse_loss

SIZE = 3
STEPS = 5


def name_of(rank):
    return f"worker{rank % SIZE}"


def data(seed):
    inputs = torch.randn(32, 8, generator=torch.Generator().manual_seed(seed))
    return inputs, inputs.sum(1, keepdim=True).sin()


class Stage:
    """A part of a model, on one worker."""

    def __init__(self, inputs, outputs, seed):
        torch.manual_seed(seed)
        self.layer = torch.nn.Linear(inputs, outputs)

    def forward(self, inputs):
        return self.layer(inputs).tanh()

    def forward_of(self, reference):
        return self.forward(reference.to_here())

    def parameters(self):
        return [rpc.RRef(parameter) for parameter in self.layer.parameters()]


def pipeline(rank):
    """Micro-batches go through two stages at once; the optimizer steps where the parameters are."""
    if rank != 0:
        return None
    stages = [rpc.remote("worker1", Stage, args=(8, 16, 1)),
              rpc.remote("worker2", Stage, args=(16, 1, 2))]
    parameters = sum((stage.rpc_sync().parameters() for stage in stages), [])
    optimizer = DistributedOptimizer(torch.optim.SGD, parameters, lr=0.1)
    inputs, targets = data(3)
    losses = []
    for _ in range(STEPS):
        with autograd.context() as context:
            hidden = [stages[0].remote().forward(part) for part in inputs.chunk(4)]
            parts = [stages[1].rpc_async().forward_of(part) for part in hidden]
            loss = mse_loss(torch.cat([part.wait() for part in parts]), targets)
            autograd.backward(context, [loss])
            optimizer.step(context)
            losses.append(loss.item())
    return losses


class Server:
    """Has the model, and steps once the gradients of both trainers are there."""

    def __init__(self):
        self.stage = Stage(8, 1, 4)
        self.lock = threading.Lock()
        self.given = []
        self.stepped = torch.futures.Future()

    def take(self, gradients):
        with self.lock:
            stepped = self.stepped
            self.given.append(gradients)
            if len(self.given) == SIZE - 1:
                self.step()
                self.given, self.stepped = [], torch.futures.Future()
                stepped.set_result(None)
        return stepped

    def step(self):
        with torch.no_grad():
            for i, parameter in enumerate(self.stage.layer.parameters()):
                parameter -= 0.1 * sum(gradients[i] for gradients in self.given)


server = Server()


def serve(inputs):
    return server.stage.forward(inputs)


@rpc.functions.async_execution
def take_gradients(context):
    """The answer is there after the step, for which the other trainer may be awaited."""
    mine = autograd.get_gradients(context)
    return server.take([mine[parameter] for parameter in server.stage.layer.parameters()])


def parameter_server(rank):
    """Passes of two trainers are on the server at once, each with gradients of its own."""
    if rank == 0:
        return None
    inputs, targets = data(4 + rank)
    losses = []
    for _ in range(STEPS):
        with autograd.context() as context:
            loss = mse_loss(rpc.rpc_sync("worker0", serve, args=(inputs,)), targets)
            autograd.backward(context, [loss])
            rpc.rpc_sync("worker0", take_gradients, args=(context,))
            losses.append(loss.item())
    return losses


def scaled(reference, factor):
    """Fetches, where it is called, what another worker owns."""
    return reference.to_here() * factor


def references(rank):
    """Each worker has a value made, has it read by a third one, and that by the second again."""
    factor = torch.full((4,), 2.0 + rank, requires_grad=True)
    sums = []
    for step in range(STEPS):
        with autograd.context() as context:
            made = rpc.remote(name_of(rank + 1), torch.mul, args=(factor, torch.arange(4.0) + step))
            read = rpc.remote(name_of(rank + 2), scaled, args=(made, factor))
            again = rpc.remote(name_of(rank + 1), scaled, args=(read, 0.5))
            autograd.backward(context, [again.to_here().sum()])
            sums.append(autograd.get_gradients(context)[factor].sum().item())
    return sums


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def squared(peer, then=None):
    """A pass through the peer; [4, 4] where it works."""
    tensor = torch.full((2,), 2.0, requires_grad=True)
    try:
        with autograd.context() as context:
            square = rpc.rpc_sync(peer, torch.mul, args=(tensor, tensor))
            if then:
                rpc.rpc_sync(peer, then)
            autograd.backward(context, [square.sum()])
            return autograd.get_gradients(context)[tensor].tolist()
    except RuntimeError:
        return "an error"


def killed(rank):
    """A worker dies within a pass through it; passes through the other one go on."""
    if rank != 0:
        threading.Event().wait()
    said = [squared("worker1"), squared("worker2", die), squared("worker2"), squared("worker1")]
    try:
        rpc.rpc_sync("worker1", os._exit, args=(0,))
    except RuntimeError:
        pass  # so it is gone
    return said
