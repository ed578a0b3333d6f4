"""Arrow arrays as the columns of row groups take them: numbers, words and their places, or with all care."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import logkernels as k
from .flowlogs import typed

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from .flows import FlowFile
    from .intake import Rejects

#: A column of frames: the line each record is of.
LINE = "\0line"


def plain_numbers(array: Any, most: int) -> NDArray[Any] | None:
    """The values of an Arrow array of integers, MISSING where null; None for other types and values out of range."""
    import pyarrow as pa

    if not pa.types.is_integer(array.type) or pa.types.is_uint64(array.type):
        return None
    if not array.null_count:
        values: NDArray[Any] = array.to_numpy()
        if array.type.bit_width < 64 and (array.type.bit_width < 32 or pa.types.is_int32(array.type)):
            return values
        if values.size and not (max(~most, k.MISSING + 1) <= int(values.min()) and int(values.max()) <= most):
            return None
        return values
    values = array.cast(pa.int64()).fill_null(k.MISSING).to_numpy(zero_copy_only=False)
    present = values[values != k.MISSING]
    if present.size < values.size - array.null_count or ((present > most) | (present < ~most)).any():
        return None
    return values


def words_and_places(array: Any) -> tuple[Any, NDArray[np.int32]] | None:
    """The words of an Arrow array of strings or of a dictionary of them, as large strings, and which of them each value
    is, -1 none; None if it is neither."""
    import pyarrow as pa

    if not pa.types.is_dictionary(array.type):
        if not (pa.types.is_string(array.type) or pa.types.is_large_string(array.type)):
            return None
        array = array.dictionary_encode()
    words = array.dictionary
    if pa.types.is_string(words.type):
        words = words.cast(pa.large_string())
    if not pa.types.is_large_string(words.type) or words.null_count:
        return None
    indices = array.indices if pa.types.is_int32(array.indices.type) else array.indices.cast(pa.int32())
    places = (indices.fill_null(-1) if indices.null_count else indices).to_numpy(zero_copy_only=False)
    return words, places


def _as_text(batch: Any) -> Any:
    """The batch; where text of it is no UTF-8, as in a damaged file, with marks for what is not."""
    import pyarrow as pa

    try:
        batch.validate(full=True)
    except pa.ArrowInvalid:
        columns = [_marked(array) for array in batch.columns]
        return pa.record_batch(columns, names=batch.schema.names)
    return batch


def _marked(array: Any) -> Any:
    import pyarrow as pa

    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if not (pa.types.is_string(array.type) or pa.types.is_large_string(array.type)):
        return array
    words = array.cast(pa.large_binary()).to_pylist()
    return pa.array([None if word is None else word.decode(errors="replace") for word in words], pa.large_string())


def careful_frame(batch: Any, file: FlowFile, numbers: NDArray[np.int64], rejects: Rejects) -> pl.DataFrame:
    """The records of an Arrow batch that are good, with their line numbers; the others are rejected."""
    import polars as pl

    frame = pl.from_arrow(_as_text(batch))
    assert isinstance(frame, pl.DataFrame)
    types = {name: kind for name, kind in file.types.items() if name in frame.columns}
    frame = frame.with_columns(pl.Series(LINE, numbers))
    return typed(frame, types, numbers, source=str(file.path), rejects=rejects, extra=(LINE,))
