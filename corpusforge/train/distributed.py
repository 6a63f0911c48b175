"""One process or many: what `torchrun` says, DDP, FSDP2, and state that does not depend on which of them ran."""

from __future__ import annotations

import atexit
import contextlib
import os
from collections.abc import Hashable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)

from corpusforge.errors import UsageError
from corpusforge.train.model import Llama, chunk_loss


@dataclass(frozen=True)
class World:
    """This process among all of a run."""

    rank: int
    size: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this process writes and prints."""
        return self.rank == 0

    def sum(self, value: Tensor) -> Tensor:
        """Sum over all processes."""
        if self.size > 1:
            distributed.all_reduce(value)
        return value

    def barrier(self) -> None:
        """Wait for all processes."""
        if self.size > 1:
            distributed.barrier()


@contextlib.contextmanager
def joined(device: str) -> Iterator[World]:
    """The processes that `torchrun` started, joined by NCCL or gloo; alone without it.

    `device` is "auto" (a GPU if there is one), "cpu" or "cuda". Raises `UsageError` for another device or a GPU
    that is not there.
    """
    kind = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    if kind not in ("cpu", "cuda"):
        raise UsageError(f'device is "auto", "cpu" or "cuda", not {device!r}')
    if kind == "cuda" and not torch.cuda.is_available():
        raise UsageError("there is no CUDA device that torch can use")
    size = int(os.environ.get("WORLD_SIZE", "1"))
    place = (
        torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if kind == "cuda" else torch.device(kind)
    )
    if kind == "cuda":
        torch.cuda.set_device(place)
    if size == 1:
        yield World(0, 1, place)
        return
    if not distributed.is_initialized():
        distributed.init_process_group("nccl" if kind == "cuda" else "gloo")
        # Not after each run: torchrun's processes can meet only once.
        atexit.register(distributed.destroy_process_group)
    yield World(distributed.get_rank(), size, place)


class Objective(nn.Module):
    """Summed loss of rows, as a module: DDP wraps a module's call."""

    def __init__(self, model: Llama, mask: bool) -> None:
        super().__init__()
        self.model = model
        self.mask = mask

    def forward(self, tokens: Tensor, documents: Tensor) -> Tensor:
        """Nats (float32 scalar) over `tokens` int[B, T + 1]; `documents` int[B, T + 1] is -1 for padding."""
        if self.mask:
            return self.model.loss(tokens, documents, "sum")
        return self.model.loss(tokens, None, "sum", ignore=documents[:, 1:] < 0)


_compiled: list[Hashable] = []
"""What torch holds compiled code for: one entry at most."""


def _forget_other_shapes(shape: Hashable) -> None:
    """Drop compiled code of another shape: it is of no use, and torch keeps few variants of one function.

    Code for this shape is good for any model of it, so that of the many runs of a benchmark only the first compiles.
    """
    if _compiled != [shape]:
        torch.compiler.reset()
        _compiled[:] = [shape]


class Parallel:
    """A model over the processes of a world: its objective, when gradients are summed, and its whole state."""

    def __init__(self, model: Llama, world: World, kind: str, mask: bool, compiled: bool) -> None:
        self.model, self.world = model, world
        sharded = world.size > 1 and kind == "fsdp"
        if compiled:
            _forget_other_shapes((model.config, mask, world.device.type, sharded))
            model.chunk_loss = torch.compile(chunk_loss, dynamic=False)
        if compiled and sharded:
            for block in model.blocks:
                block.compile(dynamic=False)
        elif compiled:
            # An attribute of the instance in front of the method: `forward` and `loss` both call it.
            model.__dict__["hidden"] = torch.compile(model.hidden, dynamic=False)
        self.sharded = sharded
        self.objective: Any = Objective(model, mask)
        if sharded:
            _shard(model, world)
        elif world.size > 1:
            devices = [world.device] if world.device.type == "cuda" else None
            self.objective = nn.parallel.DistributedDataParallel(self.objective, device_ids=devices)

    @contextlib.contextmanager
    def evaluating(self) -> Iterator[Llama]:
        """The model in evaluation mode, without gradients, as it was before compilation: shapes may vary."""
        compiled = self.model.__dict__.pop("hidden", None)
        self.model.eval()
        try:
            with torch.no_grad():
                yield self.model
        finally:
            self.model.train()
            if compiled is not None:
                self.model.__dict__["hidden"] = compiled

    def release(self) -> Llama:
        """The model for good, nothing of it compiled any more (but blocks that FSDP shards)."""
        self.model.__dict__.pop("hidden", None)
        self.model.chunk_loss = chunk_loss
        return self.model

    def accumulating(self, last: bool) -> AbstractContextManager[Any]:
        """Gradients stay with each process, except behind the last micro-batch of a step."""
        if self.world.size == 1:
            return contextlib.nullcontext()
        if self.sharded:
            self.model.set_requires_gradient_sync(last)
            return contextlib.nullcontext()
        return contextlib.nullcontext() if last else self.objective.no_sync()

    def clip(self, largest: float) -> Tensor:
        """Clip the gradient's norm over all weights; the norm before that, a float32 scalar."""
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), largest)
        return norm.full_tensor() if hasattr(norm, "full_tensor") else norm

    def state(self, optimizers: list[torch.optim.Optimizer]) -> dict[str, Any]:
        """Copies of weights and optimizer state by name of the weight, whole, in memory of the CPU."""
        options = StateDictOptions(full_state_dict=True, cpu_offload=True)
        state = {"model": get_model_state_dict(self.model, options=options), "optimizer": {}}
        # Asked for state that it does not have yet, torch takes an empty step, which would count as one.
        if optimizers[0].state:
            state["optimizer"] = get_optimizer_state_dict(self.model, optimizers, options=options)
        return _copied(state) if self.world.device.type == "cpu" else state

    def restore(self, optimizers: list[torch.optim.Optimizer], state: dict[str, Any]) -> None:
        """Set weights and optimizers as they were; every process gives the whole state."""
        options = StateDictOptions(full_state_dict=True)
        set_model_state_dict(self.model, state["model"], options=options)
        if state["optimizer"]:
            set_optimizer_state_dict(self.model, optimizers, state["optimizer"], options=options)
        else:
            for optimizer in optimizers:
                optimizer.state.clear()


def _shard(model: Llama, world: World) -> None:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

    mesh = init_device_mesh(world.device.type, (world.size,))
    for block in model.blocks:
        fully_shard(block, mesh=mesh)
    fully_shard(model, mesh=mesh)
    register_fsdp_forward_method(model, "loss")


def _copied(value: Any) -> Any:
    """The same nested dictionaries and lists with copies of their tensors."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_copied(item) for item in value]
    return value
