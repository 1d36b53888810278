"""The net of training/model.py as an ONNX graph, written out op by op: its products in 8 bits, all else in 32.

Dynamic quantisation, the usual way, takes the scale of a tensor from all sentences of a batch, so that a sentence's
shares hang on its neighbours. Here what goes into a product has one fixed scale, found on training sentences
(`Ranges`), and its channels are evened out first, as in SmoothQuant (Xiao et al. 2022): what a channel is divided by,
its row of the weights is multiplied by. A row of a product then depends on nothing but that row.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from training.model import EPSILON, HEADS, REACH, WIDTH

Array = npt.NDArray[Any]
#: Of a product: the least and the largest value of each channel that goes in.
Ranges = Mapping[str, tuple[Array, Array]]

OPSET: Final = 17
#: How much of a channel's range the weights take over from the activations.
SMOOTH: Final = 0.5
#: What comes out of GELU is not evened out: a few of its 1,536 channels reach ten times as far as all others. So many
#: of them stay in 32 bits. (Of 500 sentences 4.0 % changed their label by rounding, 1.1 % since.)
AFTER_GELU: Final = ".narrow"
FAR_CHANNELS: Final = 16
#: Weights keep 7 bits: CPUs without VNNI add pairs of products in 16 bits and would cut sums of 8-bit ones off.
WEIGHT_LEVELS: Final = 63
HEAD_WIDTH: Final = WIDTH // HEADS


class Graph:
    """Collects nodes and constants. Its methods return the name of what they make."""

    def __init__(self, net: Mapping[str, Array], ranges: Ranges | None) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}
        #: What goes into each product, for finding the ranges.
        self.watched: dict[str, str] = {}
        self._net = net
        self._ranges = ranges

    def op(self, kind: str, *inputs: str, domain: str = "", outputs: int = 1, **attributes: Any) -> str:
        """One node; of several outputs the others are called after the first, with .1, .2 …"""
        name = f"{kind}_{len(self.nodes)}"
        names = [name, *(f"{name}.{i}" for i in range(1, outputs))]
        self.nodes.append(helper.make_node(kind, list(inputs), names, name, domain=domain, **attributes))
        return name

    def own(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """One node of onnxruntime's own kinds."""
        return self.op(kind, *inputs, domain="com.microsoft", **attributes)

    def constant(self, name: str, value: Array) -> str:
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def integers(self, *values: int) -> str:
        return self.constant("integers_" + "_".join(map(str, values)), np.array(values, np.int64))

    def integer(self, value: int) -> str:
        return self.constant(f"integer_{value}", np.array(value, np.int64))

    def number(self, value: float) -> str:
        return self.constant(f"number_{value}", np.array(value, np.float32))

    def tensor(self, name: str) -> Array:
        """A weight of the net."""
        return self._net[name].astype(np.float32)

    def of_net(self, name: str) -> str:
        """A weight of the net as a constant."""
        return self.constant(name, self.tensor(name))

    def joined(self, layer: str, parts: tuple[str, ...]) -> tuple[Array, Array]:
        """The weights [in, out] and biases of several linear parts of a layer as those of one."""
        weights = [self.tensor(f"{layer}.{part}.weight").T for part in parts]
        return np.concatenate(weights, 1), np.concatenate([self.tensor(f"{layer}.{part}.bias") for part in parts])

    def norm(self, name: str, x: str) -> str:
        return self.op(
            "LayerNormalization", x, self.of_net(f"{name}.weight"), self.of_net(f"{name}.bias"), epsilon=EPSILON
        )

    def norm_of_sum(self, name: str, x: str, more: str, bias: str) -> str:
        both = self.of_net(f"{name}.weight"), self.of_net(f"{name}.bias")
        return self.own("SkipLayerNormalization", x, more, *both, bias, epsilon=EPSILON)

    def product(self, name: str, x: str, weight: Array, bias: Array | None = None) -> str:
        """x @ weight (+ bias), weight [in, out]: in 8 bits where ranges are known, else in 32."""
        self.watched[name] = x
        added = () if bias is None else (self.constant(f"{name}.bias", bias),)
        if self._ranges is None:
            found = self.op("MatMul", x, self.constant(f"{name}.weight", weight))
            return self.op("Add", found, *added) if added else found
        low, high = self._ranges[name]
        apart = None
        if name.endswith(AFTER_GELU):
            far = np.sort(np.argsort(high, kind="stable")[-FAR_CHANNELS:])
            some = self.op("Gather", x, self.constant(f"{name}.far", far.astype(np.int64)), axis=-1)
            apart = self.op("MatMul", some, self.constant(f"{name}.far_weight", weight[far]))
            near = np.isin(np.arange(len(high)), far, invert=True)
            high, weight = high * near, weight * near[:, None]
        else:
            reach = np.maximum(np.maximum(-low, high), 1e-5)
            strength = np.maximum(np.abs(weight).max(1), 1e-5)
            even = (reach**SMOOTH / strength ** (1 - SMOOTH)).astype(np.float32)
            x = self.op("Mul", x, self.constant(f"{name}.even", 1 / even))
            low, high, weight = low / even, high / even, weight * even[:, None]
        bottom, top = min(float(low.min()), 0.0), max(float(high.max()), 0.0)
        scale = self.constant(f"{name}.scale", np.array((top - bottom) / 255, np.float32))
        zero = self.constant(f"{name}.zero", np.array(round(-bottom / (top - bottom) * 255), np.uint8))
        steps = (np.abs(weight).max(0) / WEIGHT_LEVELS).astype(np.float32)
        found = self.own(
            "MatMulIntegerToFloat",
            self.op("QuantizeLinear", x, scale, zero),
            self.constant(f"{name}.weight", np.rint(weight / steps).astype(np.int8)),
            scale,
            self.constant(f"{name}.steps", steps),
            zero,
            self.constant(f"{name}.weight_zero", np.zeros(len(steps), np.int8)),
            *added,
        )
        return found if apart is None else self.op("Add", found, apart)

    def linear(self, name: str, x: str) -> str:
        """A linear part of the net without its bias, which the op behind it adds."""
        return self.product(name, x, self.tensor(f"{name}.weight").T)

    def behind_attention(self, layer: str, x: str, found: str) -> str:
        """The rest of a layer."""
        out = self.linear(f"{layer}.out", found)
        state = self.norm_of_sum(f"{layer}.out_norm", x, out, self.of_net(f"{layer}.out.bias"))
        wide = self.own("BiasGelu", self.linear(f"{layer}.wide", state), self.of_net(f"{layer}.wide.bias"))
        narrow = self.linear(f"{layer}.narrow", wide)
        return self.norm_of_sum(f"{layer}.narrow_norm", state, narrow, self.of_net(f"{layer}.narrow.bias"))

    def split(self, x: str, parts: int) -> list[str]:
        first = self.op("Split", x, outputs=parts, axis=-1)
        return [first, *(f"{first}.{i}" for i in range(1, parts))]


def build(net: Mapping[str, Array], layers: int, longest: int, ranges: Ranges | None) -> onnx.ModelProto:
    """The weights of a TowardsNet -> ids [b, n], lengths [b]; sentence, start, end [t] -> shares [t, 3].

    Without ranges in 32 bits, with what goes into the products as further outputs, named in the metadata.
    """
    g = Graph(net, ranges)
    length = g.op("Shape", "ids", start=1, end=2)
    at = g.op("Slice", g.constant("at", np.arange(longest, dtype=np.int64)), g.integers(0), length, g.integers(0))
    inside = g.op("Less", at, g.op("Unsqueeze", "lengths", g.integers(1)))  # [b, n]
    state = _embedded(g, length, longest)
    mask = g.op("Cast", inside, to=TensorProto.INT32)
    for number in range(layers):
        layer = f"layers.{number}"
        weight, bias = g.joined(layer, ("query", "key", "value"))
        parts = g.split(g.product(f"{layer}.all", state, weight), 3)
        bias_name = g.constant(f"{layer}.all.bias", bias)
        found = g.own("MultiHeadAttention", *parts, bias_name, mask, num_heads=HEADS)
        state = g.behind_attention(layer, state, found)
    features = _features(g, state, at, inside)
    logits = g.op("MatMul", features, g.constant("head.turned", g.tensor("head.weight").T))
    logits = g.op("Add", logits, g.of_net("head.bias"))
    g.nodes.append(helper.make_node("Softmax", [logits], ["shares"], axis=-1))
    return _model(g, ranges is None)


def _embedded(g: Graph, length: str, longest: int) -> str:
    """The tokens' vectors: each word's row in 8 bits with its own scale."""
    words = g.tensor("words.weight")
    steps = (np.abs(words).max(1, keepdims=True) / 127).astype(np.float32)
    rows = g.op("Gather", g.constant("words", np.rint(words / steps).astype(np.int8)), "ids")
    rows = g.op("Mul", g.op("Cast", rows, to=TensorProto.FLOAT), g.op("Gather", g.constant("steps", steps), "ids"))
    places = g.constant("places", g.tensor("positions.weight")[:longest] + g.tensor("kind"))
    return g.norm("norm", g.op("Add", rows, g.op("Slice", places, g.integers(0), length, g.integers(0))))


def _features(g: Graph, state: str, at: str, inside: str) -> str:
    """The target layer, and beside what it found the means over the target and over the sentence: [t, 4 * WIDTH]."""
    layer = "target_layer"
    share = g.op("Cast", inside, to=TensorProto.FLOAT)
    share = g.op("Div", share, g.op("Unsqueeze", g.op("Cast", "lengths", to=TensorProto.FLOAT), g.integers(1)))
    sentence_mean = g.op("Squeeze", g.op("MatMul", g.op("Unsqueeze", share, g.integers(1)), state), g.integers(1))

    start, end = (g.op("Unsqueeze", name, g.integers(1)) for name in ("start", "end"))
    of_target = g.op("And", g.op("GreaterOrEqual", at, start), g.op("Less", at, end))
    count = g.op("Cast", g.op("Sub", end, start), to=TensorProto.FLOAT)
    of_target = g.op("Div", g.op("Cast", of_target, to=TensorProto.FLOAT), count)
    here = g.op("Gather", state, "sentence")
    target_mean = g.op("MatMul", g.op("Unsqueeze", of_target, g.integers(1)), here)
    first = g.op("Slice", here, g.integers(0), g.integers(1), g.integers(1))
    queries = g.op("Concat", target_mean, first, axis=1)  # [t, 2, WIDTH]

    zero, edge = g.integer(0), g.integer(REACH + 1)
    before = g.op("Clip", g.op("Sub", start, at), zero, edge)
    behind = g.op("Clip", g.op("Add", g.op("Sub", at, end), g.integer(1)), zero, edge)
    near = g.op("Gather", g.of_net("near"), g.op("Add", g.op("Sub", edge, before), behind))
    closed = g.op("Gather", g.op("Where", inside, g.number(0.0), g.number(-1e4)), "sentence")
    bias = g.op("Add", g.op("Transpose", near, perm=[0, 2, 1]), g.op("Unsqueeze", closed, g.integers(1)))

    def heads(x: str, *order: int) -> str:
        return g.op("Transpose", g.op("Reshape", x, g.integers(0, 0, HEADS, HEAD_WIDTH)), perm=list(order))

    key, value = g.split(g.product(f"{layer}.both", state, *g.joined(layer, ("key", "value"))), 2)
    query = g.product(f"{layer}.query", queries, *g.joined(layer, ("query",)))
    keys = g.op("Gather", heads(key, 0, 2, 3, 1), "sentence")
    values = g.op("Gather", heads(value, 0, 2, 1, 3), "sentence")
    fit = g.op("Mul", g.op("MatMul", heads(query, 0, 2, 1, 3), keys), g.number(HEAD_WIDTH**-0.5))
    attention = g.op("Softmax", g.op("Add", fit, g.op("Unsqueeze", bias, g.integers(2))), axis=-1)
    found = g.op("Transpose", g.op("MatMul", attention, values), perm=[0, 2, 1, 3])
    found = g.behind_attention(layer, queries, g.op("Reshape", found, g.integers(0, 0, WIDTH)))
    return g.op(
        "Concat",
        g.op("Reshape", found, g.integers(0, 2 * WIDTH)),
        g.op("Squeeze", target_mean, g.integers(1)),
        g.op("Gather", sentence_mean, "sentence"),
        axis=-1,
    )


def _model(g: Graph, watching: bool) -> onnx.ModelProto:
    def whole(name: str, *shape: str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.INT64, shape)

    inputs = [whole("ids", "sentences", "length"), whole("lengths", "sentences")]
    inputs += [whole(name, "targets") for name in ("sentence", "start", "end")]
    outputs = [helper.make_tensor_value_info("shares", TensorProto.FLOAT, ["targets", 3])]
    if watching:
        names = sorted(set(g.watched.values()))
        outputs += [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names]
    graph = helper.make_graph(g.nodes, "towards", inputs, outputs, list(g.constants.values()))
    kinds = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=kinds, ir_version=8, producer_name="news-pipeline")
    if watching:
        helper.set_model_props(model, g.watched)
    return model
