"""AdamW for everything, or Muon for the matrices inside blocks; rates set from outside."""

from __future__ import annotations

import torch
from torch import nn

from corpusforge.train.model import Llama
from corpusforge.train.settings import TrainConfig


def build_optimizers(model: Llama, config: TrainConfig) -> list[torch.optim.Optimizer]:
    """One optimizer or two over all weights, each weight in exactly one group.

    Decayed: matrices inside blocks and an untied head. Not decayed: norms and embeddings (a tied one, too, as
    in OLMo 2, arXiv 2501.00656, section 3.3). Muon (Jordan et al. 2024; scaled to AdamW's rates as in Liu et
    al. 2025, arXiv 2502.16982) takes the matrices inside blocks.
    """
    matrices, head, others = _groups(model)
    with_muon = config.optimizer == "muon"
    decayed = head if with_muon else matrices + head
    groups = [{"params": others, "weight_decay": 0.0}]
    if decayed:
        groups.append({"params": decayed, "weight_decay": config.weight_decay})
    adamw = torch.optim.AdamW(
        groups,
        lr=config.learning_rate,
        betas=(config.beta1, config.beta2),
        eps=config.epsilon,
        fused=others[0].device.type == "cuda",
    )
    if not with_muon:
        return [adamw]
    muon = torch.optim.Muon(
        matrices,
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
        momentum=0.95,
        adjust_lr_fn="match_rms_adamw",
    )
    return [adamw, muon]


def _groups(model: Llama) -> tuple[list[nn.Parameter], list[nn.Parameter], list[nn.Parameter]]:
    """Matrices inside blocks; an untied head; norms and embeddings."""
    matrices, head, others = [], [], []
    for name, weight in model.named_parameters():
        if weight.ndim == 2 and name.startswith("blocks."):
            matrices.append(weight)
        elif name.startswith("head."):
            head.append(weight)
        else:
            others.append(weight)
    return matrices, head, others


def set_rate(optimizers: list[torch.optim.Optimizer], rate: float) -> None:
    """Give every group this learning rate."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = rate
