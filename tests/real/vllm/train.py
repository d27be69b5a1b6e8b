"""Teaches the tiny chat model its lessons until it knows them by heart, and a LoRA what it says differently."""
# torch and its company live in the environment of the engine:
# pyright: reportMissingImports=false, reportUntypedBaseClass=false

import json
import random
import sys
import time
from itertools import islice
from pathlib import Path

import torch
from lessons import Lesson, lessons
from safetensors.torch import save_file
from torch import nn
from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM

RANK, ALPHA = 8, 16
BATCH, RATE = 14, 8e-3
_FIRST = 0.4
"""Share of the steps without noise in front: first what to say, then to find it in long prompts."""


def teach(model: nn.Module, words: PreTrainedTokenizerFast, *, steps: int, german: bool) -> None:
    """Trains whatever in `model` wants to be trained; only the answers count."""
    rng = random.Random(0)
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=RATE, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=RATE, total_steps=steps)
    short, long = (lessons(rng, noise=noise, german=german) for noise in (4, 30))
    model.train()
    began = time.monotonic()
    for step in range(steps):
        batch = list(islice(short if step < steps * _FIRST else long, BATCH))
        ids, mask, labels = _tensors(batch, words)
        loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        schedule.step()
        if step % 50 == 49:
            print(
                f"  step {step + 1} of {steps}: loss {loss.item():.4f}, {time.monotonic() - began:.0f} s",
                file=sys.stderr,
            )
    model.eval()


def _tensors(batch: list[Lesson], words: PreTrainedTokenizerFast) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    rows: list[tuple[list[int], list[int]]] = []
    for lesson in batch:
        prompt = words.apply_chat_template(
            lesson.messages, tools=lesson.tools, tokenize=False, add_generation_prompt=True
        )
        given, said = (
            words(text, add_special_tokens=False).input_ids for text in (prompt, lesson.answer + "<|im_end|>")
        )
        rows.append((given + said, [-100] * len(given) + said))
    width = max(len(ids) for ids, _ in rows)
    return (
        torch.tensor([ids + [words.pad_token_id] * (width - len(ids)) for ids, _ in rows]),
        torch.tensor([[1] * len(ids) + [0] * (width - len(ids)) for ids, _ in rows]),
        torch.tensor([labels + [-100] * (width - len(labels)) for _, labels in rows]),
    )


class LowRank(nn.Module):
    """A frozen linear layer and its low-rank change."""

    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        self.base = base
        self.a = nn.Parameter(torch.randn(RANK, base.in_features) / base.in_features**0.5)
        self.b = nn.Parameter(torch.zeros(base.out_features, RANK))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.base(x) + (x @ self.a.T @ self.b.T) * (ALPHA / RANK)


def as_lora(model: Qwen3ForCausalLM, words: PreTrainedTokenizerFast, folder: Path, *, steps: int) -> None:
    """Trains low-rank changes of a model that stays as it is, and writes them as PEFT does."""
    model.requires_grad_(False)
    changed: dict[str, LowRank] = {}
    for at, layer in enumerate(model.model.layers):
        for path in (
            "self_attn.q_proj",
            "self_attn.v_proj",
            "self_attn.o_proj",
            "mlp.gate_proj",
            "mlp.up_proj",
            "mlp.down_proj",
        ):
            part, name = path.split(".")
            owner = getattr(layer, part)
            changed[f"model.layers.{at}.{path}"] = low = LowRank(getattr(owner, name))
            setattr(owner, name, low)
    teach(model, words, steps=steps, german=True)
    tensors = {
        f"base_model.model.{path}.lora_{kind}.weight": weight.detach().contiguous()
        for path, low in changed.items()
        for kind, weight in (("A", low.a), ("B", low.b))
    }
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "adapter_model.safetensors")
    about = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": RANK,
        "lora_alpha": ALPHA,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": sorted({path.rpartition(".")[2] for path in changed}),
        "base_model_name_or_path": "tiny-chat",
        "inference_mode": True,
    }
    (folder / "adapter_config.json").write_text(json.dumps(about), encoding="utf-8")
