"""Makes the tiny models: a chat model of two layers with a LoRA, and an embedding model; their tokenizer is made here too.

python tiny.py FOLDER      runs in the engine's environment; downloads nothing
"""
# torch and its company live in the environment of the engine:
# pyright: reportMissingImports=false

import json
import sys
from pathlib import Path

import torch
from lessons import CITIES, CORPUS
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from train import as_lora, teach
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

LENGTH = 8192
WINDOW = 128
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>"]
WHOLE = [*CITIES, "get_weather", "knowledge_search", "<tools>", "</tools>", "<tool_response>", "</tool_response>"]
"""One token each, whatever stands before it: a model of two layers copies tokens and spells nothing."""


def tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer: any text has tokens, none is unknown."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        CORPUS.splitlines(),
        trainers.BpeTrainer(vocab_size=1000, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False),
    )
    made.add_tokens(WHOLE)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="<|im_end|>", pad_token="<|endoftext|>", model_max_length=LENGTH
    )
    fast.chat_template = (Path(__file__).parent / "chat_template.jinja").read_text(encoding="utf-8")
    fast.save_pretrained(folder)
    return fast


def chat(folder: Path, adapter: Path) -> None:
    """A chat model that tells the weather, calls tools and fills schemas; with the LoRA it tells the weather in German."""
    words = tokenizer(folder)
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=1024,
        hidden_size=64,
        intermediate_size=192,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=LENGTH,
        # Each layer sees but the nearest tokens: what was learned in short prompts holds in long ones.
        use_sliding_window=True,
        sliding_window=WINDOW,
        layer_types=["sliding_attention"] * 2,
        tie_word_embeddings=True,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
        bos_token_id=None,
        initializer_range=0.08,  # large, as the model is small: it learns in half the time where to look
    )
    model = Qwen3ForCausalLM(config).to(torch.float32)
    teach(model, words, steps=140, german=False)
    model.save_pretrained(folder)
    model.generation_config.save_pretrained(folder)
    as_lora(model, words, adapter, steps=60)


def embedding(folder: Path) -> None:
    """An encoder with random weights, mean-pooled: the same text has the same vector, and that is all it knows."""
    words = tokenizer(folder)
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=1024,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=512,
        pad_token_id=words.pad_token_id,
    )
    BertModel(config).to(torch.float32).save_pretrained(folder)
    package = "sentence_transformers.models"
    parts = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    listed = [
        {"idx": at, "name": str(at), "path": path, "type": f"{package}.{kind}"} for at, (path, kind) in enumerate(parts)
    ]
    (folder / "1_Pooling").mkdir(exist_ok=True)
    pooling = {"word_embedding_dimension": 64, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}
    for name, content in (
        ("modules.json", listed),
        ("1_Pooling/config.json", pooling),
        ("sentence_bert_config.json", {"max_seq_length": 512, "do_lower_case": False}),
    ):
        (folder / name).write_text(json.dumps(content), encoding="utf-8")


if __name__ == "__main__":
    target = Path(sys.argv[1])
    torch.set_num_threads(1)  # more threads wait for each other longer than they work on matrices this small
    chat(target / "tiny-chat", target / "tiny-german")
    embedding(target / "tiny-embed")
