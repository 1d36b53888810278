"""Rows -> Parquet with the types of their columns; needs the extra `parquet` (pyarrow), which is not in the base.

Times are UTC in microseconds, as PostgreSQL has them; an id is text, so that it joins and prints everywhere; jsonb is
its text; text[] is a list. A row group ends after so many rows or bytes: memory does not grow with the file.
"""

import io
import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, Final, NamedTuple

from psycopg import Column

from ops import cells
from pipeline.errors import SettingError

if TYPE_CHECKING:
    import pyarrow as pa

GROUP_ROWS: Final = 100_000
GROUP_BYTES: Final = 32 * 1024 * 1024
#: In the file's metadata: the newest change of news.changes that the rows contain.
LAST_CHANGE: Final = b"news.last_change"


class _Kind(NamedTuple):
    """How a type of PostgreSQL stands in Parquet."""

    arrow: str
    convert: Callable[[Any], Any] | None = None


def _json(value: Any) -> str:
    return json.dumps(value, default=cells.json_value, ensure_ascii=False)


#: By the type's name in psycopg's registry; what is not here would be no plain type of the contract, and becomes text.
_KINDS: Final = {
    "bool": _Kind("bool_"),
    "int2": _Kind("int16"),
    "int4": _Kind("int32"),
    "int8": _Kind("int64"),
    "float4": _Kind("float32"),
    "float8": _Kind("float64"),
    "text": _Kind("string"),
    "bytea": _Kind("binary"),
    "date": _Kind("date32"),
    "timestamptz": _Kind("timestamp"),
    "text[]": _Kind("list"),
    "jsonb": _Kind("string", _json),
}
_TEXT: Final = _Kind("string", str)


def require() -> None:
    """Raises SettingError, saying how to get it, where pyarrow is not installed."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise SettingError(
            "Parquet needs pyarrow: pip install 'news-pipeline[parquet]' (or pyarrow into this environment)."
        ) from None


class ParquetRows:
    """Parquet, a row group at a time."""

    def __init__(self, stream: BinaryIO, columns: Sequence[Column], last_change: int) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        self._kinds = [_kind(column) for column in columns]
        arrow = [
            pa.field(column.name, _arrow(kind), nullable=True)
            for column, kind in zip(columns, self._kinds, strict=True)
        ]
        self._schema = pa.schema(arrow, {LAST_CHANGE: str(last_change).encode()})
        self._held: list[pa.RecordBatch] = []
        self._rows = self._bytes = 0
        self._writer = parquet.ParquetWriter(_Ahead(stream), self._schema, compression="zstd")

    def write(self, page: Sequence[tuple[Any, ...]]) -> None:
        """Hold the rows until they fill a row group."""
        import pyarrow as pa

        arrays = [
            pa.array(
                values if kind.convert is None else [None if v is None else kind.convert(v) for v in values],
                type=field.type,
            )
            for values, kind, field in zip(zip(*page, strict=True), self._kinds, self._schema, strict=True)
        ]
        batch = pa.RecordBatch.from_arrays(arrays, schema=self._schema)
        self._held.append(batch)
        self._rows += batch.num_rows
        self._bytes += batch.nbytes
        if self._rows >= GROUP_ROWS or self._bytes >= GROUP_BYTES:
            self._end_group()

    def finish(self) -> None:
        """The last row group, and the footer: without it no reader takes the file."""
        self._end_group()
        self._writer.close()

    def _end_group(self) -> None:
        import pyarrow as pa

        if self._held:
            self._writer.write_table(pa.Table.from_batches(self._held, self._schema), row_group_size=self._rows)
        self._held, self._rows, self._bytes = [], 0, 0


class _Ahead(io.RawIOBase):
    """A stream that only goes ahead, and counts: stdout may be a pipe, which does not know where it is."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._place = 0

    def writable(self) -> bool:
        """It is all that one can do with it."""
        return True

    def write(self, data: Any, /) -> int:
        """All of it."""
        self._stream.write(data)
        self._place += len(data)
        return len(data)

    def tell(self) -> int:
        """How much was written."""
        return self._place

    def flush(self) -> None:
        """As far as the stream goes."""
        self._stream.flush()


def _kind(column: Column) -> _Kind:
    import psycopg

    for name, kind in _KINDS.items():
        plain = name.removesuffix("[]")
        known = psycopg.adapters.types.get(plain)
        if known is not None and column.type_code == (known.array_oid if plain != name else known.oid):
            return kind
    return _TEXT


def _arrow(kind: _Kind) -> "pa.DataType":
    import pyarrow as pa

    if kind.arrow == "timestamp":
        return pa.timestamp("us", tz="UTC")
    if kind.arrow == "list":
        return pa.list_(pa.string())
    return getattr(pa, kind.arrow)()
