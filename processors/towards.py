"""Sentences with mentions -> the sentiment towards each mention, by the model in processors/weights; no torch.

The model (training/, processors/weights/MODEL_CARD.md) reads a sentence once, whatever the number of mentions in it. A
sentence gives the same shares alone and among others: what is rounded to 8 bits has fixed scales (training/graph.py).
"""

import hashlib
import json
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pipeline.errors import SettingError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

#: What this code reads: a file of another format is refused by name, not by wrong numbers.
FORMAT: Final = 1
METADATA: Final = "towards.json"
SETTING: Final = "NEWS_NLP__SENTIMENT"

#: Word pieces that the model sees of a sentence, [CLS] and [SEP] included; of a longer one, a window round the mention.
MAX_TOKENS: Final = 112
#: Windows begin at multiples of it, so that mentions close together share one and no mention moves another's.
STRIDE: Final = 32
#: Of one call of the model: tokens with their padding, and mentions. They bound its memory to some 30 MB.
BATCH_TOKENS: Final = 512
BATCH_MENTIONS: Final = 64
#: Padding costs as much as text: a batch of 4 sentences runs nearly as fast a token as one of 16.
LONGEST_TO_SHORTEST: Final = 1.1
#: Shares that the cache holds: boilerplate, quotes and agency sentences come again.
CACHED: Final = 50_000

_CLS: Final = 101
_SEP: Final = 102
_REMEDY: Final = "Put the folder back from the release, or set it to `off`."


class Sentence(NamedTuple):
    """A sentence and the mentions in it: code points, (start, end)."""

    text: str
    spans: tuple[tuple[int, int], ...]


class Shares(NamedTuple):
    """How much the model believes in each label; they add up to 1."""

    negative: float
    neutral: float
    positive: float


#: Of a span in which the model sees no token: white space, marks of direction, what is cut off.
NOTHING: Final = Shares(0.0, 1.0, 0.0)


class Piece(NamedTuple):
    """What one pass sees: tokens with [CLS] and [SEP], and (which span, its first token, the one behind its last)."""

    ids: tuple[int, ...]
    mentions: tuple[tuple[int, int, int], ...]


class Towards:
    """The model of one process. Raises SettingError where a file is missing, damaged or of another format."""

    def __init__(self, folder: Path | None = None) -> None:
        folder = folder or folder_of("on")
        metadata = _metadata(folder)
        model, tokenizer = (_checked(folder / metadata[what]["file"], metadata[what]["sha256"]) for what in _FILES)
        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # the processes are the parallelism
        options.log_severity_level = 3
        try:
            self._session: Any = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
            self._tokenizer = Tokenizer.from_buffer(tokenizer)
        except Exception as error:  # either library has its own kinds, and plain Exception
            raise SettingError(f"{SETTING}: the model in {folder} cannot be used: {error}. {_REMEDY}") from error
        self._cache: OrderedDict[bytes, tuple[Shares, ...]] = OrderedDict()
        self._cached = 0
        #: What a row says about which model it was.
        self.name = _name(metadata)

    def of(self, sentences: Sequence[Sentence]) -> list[tuple[Shares, ...]]:
        """The shares of each span of each sentence, in order."""
        keys = [_key(sentence) for sentence in sentences]
        # Taken now: the cache may forget them before all are answered.
        found = {key: self._cache[key] for key in keys if key in self._cache}
        new = {key: sentence for key, sentence in zip(keys, sentences, strict=True) if key not in found}
        for key, shares in zip(new, self._ask(list(new.values())), strict=True):
            found[key] = shares
        for key, shares in found.items():
            self._keep(key, shares)
        return [found[key] for key in keys]

    def _ask(self, sentences: Sequence[Sentence]) -> list[tuple[Shares, ...]]:
        answers = [[NOTHING] * len(sentence.spans) for sentence in sentences]
        passes = [
            (number, piece)
            for number, sentence in enumerate(sentences)
            for whole in pieces(self._tokenizer, sentence)
            for piece in _parted(whole)
        ]
        for batch in _batches(passes):
            shares = iter(self._run([piece for _, piece in batch]))
            for number, piece in batch:
                for which, _, _ in piece.mentions:
                    answers[number][which] = next(shares)
        return [tuple(shares) for shares in answers]

    def _run(self, batch: Sequence[Piece]) -> Iterator[Shares]:
        import numpy as np

        lengths = [len(piece.ids) for piece in batch]
        ids = np.zeros((len(batch), max(lengths)), np.int64)
        for row, piece in enumerate(batch):
            ids[row, : len(piece.ids)] = piece.ids
        places = np.array([(row, *m[1:]) for row, piece in enumerate(batch) for m in piece.mentions], np.int64)
        sentence, start, end = places.T
        inputs = {"ids": ids, "lengths": np.array(lengths, np.int64), "sentence": sentence, "start": start, "end": end}
        (shares,) = self._session.run(["shares"], inputs)
        return (Shares(*row) for row in shares.tolist())

    def _keep(self, key: bytes, shares: tuple[Shares, ...]) -> None:
        if key in self._cache:
            self._cache.move_to_end(key)
            return
        self._cache[key] = shares
        self._cached += len(shares) + 1
        while self._cached > CACHED:
            _, dropped = self._cache.popitem(last=False)
            self._cached -= len(dropped) + 1


def folder_of(setting: str) -> Path:
    """The folder that NEWS_NLP__SENTIMENT names: `on` is the model that comes with the pipeline."""
    return Path(str(resources.files("processors") / "weights")) if setting == "on" else Path(setting)


def name_of(folder: Path) -> str:
    """What a row says about which model it was; reads its files and loads nothing. Raises SettingError as `Towards`."""
    metadata = _metadata(folder)
    for what in _FILES:
        _checked(folder / metadata[what]["file"], metadata[what]["sha256"])
    return _name(metadata)


def _name(metadata: Mapping[str, Any]) -> str:
    """The name of a model, with the beginning of its sum: another one may have been given the same name."""
    return f"{metadata['name']}-{metadata['model']['sha256'][:8]}"


def pieces(tokenizer: "Tokenizer", sentence: Sentence) -> list[Piece]:
    """The passes that a sentence takes, most often one; a span that holds no token is in none of them."""
    encoding = tokenizer.encode(sentence.text, add_special_tokens=False)
    ids, room = encoding.ids, MAX_TOKENS - 2
    windows: dict[int, list[tuple[int, int, int]]] = {}
    for which, first, behind in _tokens_of(encoding.offsets, sentence.spans):
        window = 0
        if len(ids) > room:
            window = round((first + behind - room) / 2 / STRIDE) * STRIDE
            window = min(max(0, window), len(ids) - room)
        # A mention longer than the window is cut like its sentence.
        begin = min(max(first - window, 0), room - 1)
        stop = max(min(behind - window, room), begin + 1)
        windows.setdefault(window, []).append((which, begin + 1, stop + 1))
    return [Piece((_CLS, *ids[window : window + room], _SEP), tuple(inside)) for window, inside in windows.items()]


def _tokens_of(offsets: Sequence[tuple[int, int]], spans: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int, int]]:
    """(Which span, the first token that it touches, the one behind the last)."""
    starts = [start for start, _ in offsets]
    ends = [end for _, end in offsets]
    for which, (start, end) in enumerate(spans):
        first, behind = bisect_right(ends, start), bisect_left(starts, end)
        if first < behind:
            yield which, first, behind


def _parted(piece: Piece) -> Iterator[Piece]:
    for at in range(0, len(piece.mentions), BATCH_MENTIONS):
        yield Piece(piece.ids, piece.mentions[at : at + BATCH_MENTIONS])


def _batches(passes: Sequence[tuple[int, Piece]]) -> Iterator[list[tuple[int, Piece]]]:
    """Passes of about one length together, so that little of a batch is padding."""
    batch: list[tuple[int, Piece]] = []
    mentions = 0
    for number, piece in sorted(passes, key=lambda each: len(each[1].ids)):
        length = len(piece.ids)
        full = (
            (len(batch) + 1) * length > BATCH_TOKENS
            or mentions + len(piece.mentions) > BATCH_MENTIONS
            or (batch and length > len(batch[0][1].ids) * LONGEST_TO_SHORTEST + 1)
        )
        if batch and full:
            yield batch
            batch, mentions = [], 0
        batch.append((number, piece))
        mentions += len(piece.mentions)
    if batch:
        yield batch


def _key(sentence: Sentence) -> bytes:
    place = ",".join(f"{start}-{end}" for start, end in sentence.spans)
    return hashlib.blake2b(f"{place}\n{sentence.text}".encode("utf-8", "surrogatepass"), digest_size=16).digest()


_FILES: Final = ("model", "tokenizer")


def _metadata(folder: Path) -> Mapping[str, Any]:
    path = folder / METADATA
    try:
        metadata: dict[str, Any] = json.loads(path.read_bytes())
        found = metadata["format"]
        needed = [metadata["name"], *(metadata[what][key] for what in _FILES for key in ("file", "sha256"))]
    except OSError as error:
        raise SettingError(f"{SETTING}: {path} cannot be read: {error.strerror or error}. {_REMEDY}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise SettingError(f"{SETTING}: {path} does not describe a model ({error!r}). {_REMEDY}") from None
    if found != FORMAT:
        raise SettingError(
            f"{SETTING}: {path} describes a model of format {found!r}, this version reads {FORMAT}. {_REMEDY}"
        )
    if not all(isinstance(text, str) for text in needed):
        raise SettingError(f"{SETTING}: {path} does not describe a model (a name or a sum is no text). {_REMEDY}")
    return metadata


def _checked(path: Path, sha256: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SettingError(f"{SETTING}: {path} cannot be read: {error.strerror or error}. {_REMEDY}") from None
    if hashlib.sha256(content).hexdigest() != sha256:
        raise SettingError(f"{SETTING}: {path} is damaged, its sha256 is not the one in {METADATA}. {_REMEDY}")
    return content
