"""What gzip or zstd has packed -> the bytes in it, member after member, in bounded memory.

What is cut off or damaged is said after all that came before it: the libraries end such a stream as if it were whole.
"""

import zlib
from typing import Any, Final, Literal

import zstandard

from pipeline.errors import InvalidRecord, Reason
from pipeline.topics import KIB, MIB
from producers.formats.lines import Read

Kind = Literal["gzip", "zstd"]
Dictionary = zstandard.ZstdCompressionDict
#: Enough of a file for `kind_of`, in bytes.
BEGINNING_BYTES: Final = 4

_GZIP: Final = b"\x1f\x8b\x08"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_SKIPPABLE: Final = b"\x2a\x4d\x18"  # after a byte from 0x50 to 0x5f
#: A first frame that begins so holds the dictionary of all others (the zstd annex of WARC).
_DICTIONARY: Final = b"\x5d" + _SKIPPABLE
MAX_DICTIONARY_BYTES: Final = 8 * MIB
#: What a zstd frame may make its reader keep in memory: the limit of the zstd command, too.
MAX_WINDOW_BYTES: Final = 128 * MIB
# zlib is told how much to give. zstd is not: 4 bytes can be 128 KiB of text, so that these give 32 MiB at most.
_READ_BYTES: Final[dict[Kind, int]] = {"gzip": 64 * KIB, "zstd": 1 * KIB}


class Damaged(InvalidRecord):
    """The stream ends before its end, or holds what cannot be unpacked."""

    def __init__(self, detail: str, *, is_cut_off: bool) -> None:
        super().__init__(Reason.UNREADABLE, detail)
        self.is_cut_off = is_cut_off


def kind_of(beginning: bytes) -> Kind | None:
    """What packed a file that begins so; None if nothing did. No text begins like that, whatever its name ends in."""
    if beginning.startswith(_GZIP):
        return "gzip"
    is_skippable = beginning[1:4] == _SKIPPABLE and 0x50 <= beginning[0] <= 0x5F
    return "zstd" if beginning.startswith(_ZSTD) or is_skippable else None


class Unpacker:
    """Unpacks what `read` gives from `place` on, where a member begins.

    `member` is where the one in work begins, in packed bytes; `dictionary` is what all frames of zstd may need, which
    stands at the beginning of a file.
    """

    def __init__(self, read: Read, kind: Kind, place: int = 0, dictionary: Dictionary | None = None) -> None:
        self.member = place
        self._read = read
        self._kind: Kind = kind
        self._place = place  # behind the input
        self._input = b""
        self._output, self._given = b"", 0
        self._decoder: Any = None
        self.dictionary = dictionary
        self._damage: Damaged | None = None

    def read(self, most: int) -> bytes:
        """At most so many bytes, of one member after the other; none at the end. Raises Damaged."""
        while not (given := self.read_member(most)):
            if not self.next_member():
                return b""
        return given

    def read_member(self, most: int) -> bytes:
        """At most so many bytes of this member; none at its end. Raises Damaged."""
        while self._given == len(self._output):
            if self._damage is not None:
                raise self._damage
            if self._decoder is None or self._decoder.eof:
                return b""
            self._unpack(most)
        given = self._output[self._given : self._given + most]
        self._given += len(given)
        return given

    def next_member(self) -> bool:
        """Go on to the next member, over what is left of this one; False if there is none. Raises Damaged."""
        while self.read_member(self._step):
            pass
        self._decoder = None
        while True:
            if self._kind == "gzip":
                self._input = self._input.lstrip(b"\0")  # padding of tapes, which gzip itself lets pass
            if len(self._input) >= BEGINNING_BYTES or not (more := self._more()):
                break
            self._input += more
        self.member = self._place - len(self._input)
        if not self._input:
            return False
        if kind_of(self._input) != self._kind:
            raise self._broken(f"what follows byte {self.member:,} is not {self._kind}", is_cut_off=False)
        self._decoder = self._new_decoder()
        return True

    @property
    def _step(self) -> int:
        return _READ_BYTES[self._kind]

    def _more(self) -> bytes:
        more = self._read(self._step)
        self._place += len(more)
        return more

    def _unpack(self, most: int) -> None:
        self._output, self._given = b"", 0
        try:
            if self._kind == "gzip":
                self._output = self._decoder.decompress(self._input, most)
                self._input = self._decoder.unused_data if self._decoder.eof else self._decoder.unconsumed_tail
            else:
                now, rest = self._input[: self._step], self._input[self._step :]
                self._output = self._decoder.decompress(now)
                self._input = self._decoder.unused_data + rest if self._decoder.eof else rest
        except (zlib.error, zstandard.ZstdError) as error:
            raise self._broken(
                f"byte {self.member:,} begins what cannot be unpacked: {error}", is_cut_off=False
            ) from None
        if not self._output and not self._decoder.eof and not self._input:
            self._input = self._more()
            if not self._input:
                raise self._broken(f"it ends after {self._place:,} bytes", is_cut_off=True)

    def _broken(self, why: str, *, is_cut_off: bool) -> Damaged:
        what = "cut off" if is_cut_off else "damaged"
        self._damage = Damaged(f"The {self._kind} file is {what}: {why}.", is_cut_off=is_cut_off)
        return self._damage

    def _new_decoder(self) -> Any:
        if self._kind == "gzip":
            return zlib.decompressobj(wbits=31)
        if self.member == 0 and self._input.startswith(_DICTIONARY):
            self.dictionary = self._read_dictionary()
        return zstandard.ZstdDecompressor(self.dictionary, max_window_size=MAX_WINDOW_BYTES).decompressobj()

    def _read_dictionary(self) -> Dictionary:
        while len(self._input) < 8 and (more := self._more()):
            self._input += more
        size = int.from_bytes(self._input[4:8], "little")
        if size > MAX_DICTIONARY_BYTES:
            raise self._broken(f"its dictionary has {size:,} bytes", is_cut_off=False)
        while len(self._input) < 8 + size and (more := self._more()):
            self._input += more
        content = self._input[8 : 8 + size]
        if content.startswith(_ZSTD):
            try:
                content = zstandard.ZstdDecompressor().decompress(content, max_output_size=MAX_DICTIONARY_BYTES)
            except zstandard.ZstdError as error:
                raise self._broken(f"its dictionary cannot be unpacked: {error}", is_cut_off=False) from None
        return zstandard.ZstdCompressionDict(content)


def dictionary_of(read: Read) -> Dictionary | None:
    """The dictionary at the beginning of a zstd file, for whoever begins elsewhere; None where none can be read."""
    unpacker = Unpacker(read, "zstd")
    try:
        unpacker.next_member()
    except Damaged:
        return None  # said by whoever reads the file
    return unpacker.dictionary
