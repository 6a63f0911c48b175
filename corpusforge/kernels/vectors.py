"""Many bytes or numbers at once: functions of kernels that do with one instruction what a loop does item by item.

Each has its size in its name, and reads and writes that many items: the caller sees to it that they are there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from corpusforge.kernels.instructions import Instruction, address

_SPACE, _TAB, _CONTROLS, _LINE_FEED = 0x20, 0x09, 5, 0x0A
_PRIME = 16777619


def _vector(item: Any, count: int) -> Any:
    from llvmlite import ir  # type: ignore[import-untyped]

    return ir.VectorType(item, count)


def _constant(kind: Any, values: Any) -> Any:
    """A vector of the same number, or of several."""
    from llvmlite import ir

    several = list(values) if hasattr(values, "__iter__") else [values] * kind.count
    return ir.Constant(kind, [ir.Constant(kind.element, value) for value in several])


def _splat(builder: Any, value: Any, kind: Any) -> Any:
    """A vector of the same value."""
    from llvmlite import ir

    none = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(none, value, ir.IntType(32)(0))
    return builder.shuffle_vector(first, none, _constant(_vector(ir.IntType(32), kind.count), 0))


def _pointer(builder: Any, place: Any, kind: Any) -> Any:
    return builder.inttoptr(place, kind.as_pointer())


def _declare_space_bits(typing_context: Any, data: Any, start: Any) -> Any:
    from numba import types

    return types.uint64(data, types.uint64), _generate_space_bits


def _generate_space_bits(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    from llvmlite import ir

    kind = _vector(ir.IntType(8), 64)
    place = address(context, builder, signature.args[0], *arguments)
    block = builder.load(_pointer(builder, place, kind), align=1)
    is_space = builder.icmp_unsigned("==", block, _constant(kind, _SPACE))
    is_nul = builder.icmp_unsigned("==", block, _constant(kind, 0))
    above = builder.sub(block, _constant(kind, _TAB))
    is_control = builder.icmp_unsigned("<", above, _constant(kind, _CONTROLS))
    return builder.bitcast(builder.or_(builder.or_(is_space, is_nul), is_control), ir.IntType(64))


def _declare_line_feed_bits(typing_context: Any, data: Any, start: Any) -> Any:
    from numba import types

    return types.uint64(data, types.uint64), _generate_line_feed_bits


def _generate_line_feed_bits(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    from llvmlite import ir

    kind = _vector(ir.IntType(8), 64)
    place = address(context, builder, signature.args[0], *arguments)
    block = builder.load(_pointer(builder, place, kind), align=1)
    return builder.bitcast(builder.icmp_unsigned("==", block, _constant(kind, _LINE_FEED)), ir.IntType(64))


def _declare_copy_32(typing_context: Any, data: Any, start: Any, size: Any, target: Any, row: Any) -> Any:
    from numba import types

    return types.void(data, types.uint64, types.uint64, target, types.uint64), _generate_copy_32


def _generate_copy_32(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    from llvmlite import ir

    data, start, size, target, row = arguments
    byte = ir.IntType(8)
    kind = _vector(byte, 32)
    block = builder.load(
        _pointer(builder, address(context, builder, signature.args[0], data, start), kind), align=1
    )
    sizes = _splat(builder, builder.trunc(size, byte), kind)
    is_inside = builder.icmp_unsigned("<", _constant(kind, range(32)), sizes)
    kept = builder.select(is_inside, block, _constant(kind, 0))
    place = address(context, builder, signature.args[3], target, row)
    builder.store(kept, _pointer(builder, place, kind), align=8)
    return context.get_dummy_value()


def _declare_widen_32(typing_context: Any, data: Any, start: Any, target: Any, at: Any) -> Any:
    from numba import types

    return types.void(data, types.uint64, target, types.uint64), _generate_widen_32


def _generate_widen_32(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    from llvmlite import ir

    data, start, target, at = arguments
    narrow, wide = _vector(ir.IntType(8), 32), _vector(ir.IntType(32), 32)
    source = address(context, builder, signature.args[0], data, start)
    values = builder.zext(builder.load(_pointer(builder, source, narrow), align=1), wide)
    place = address(context, builder, signature.args[2], target, at)
    builder.store(values, _pointer(builder, place, wide), align=4)
    return context.get_dummy_value()


def _declare_add_16(
    typing_context: Any, target: Any, row: Any, source: Any, other_row: Any, column: Any
) -> Any:
    from numba import types

    return types.void(target, types.uint64, source, types.uint64, types.uint64), _generate_add_16


def _generate_add_16(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    from llvmlite import ir

    target, row, source, other_row, column = arguments
    kind = _vector(ir.FloatType(), 16)
    place = address(context, builder, signature.args[0], target, row, column)
    other = address(context, builder, signature.args[2], source, other_row, column)
    total = builder.fadd(
        builder.load(_pointer(builder, place, kind), align=4),
        builder.load(_pointer(builder, other, kind), align=4),
    )
    builder.store(total, _pointer(builder, place, kind), align=4)
    return context.get_dummy_value()


def _declare_add_rows(
    typing_context: Any,
    target: Any,
    row: Any,
    source: Any,
    others: Any,
    first: Any,
    behind: Any,
    column: Any,
) -> Any:
    from numba import types

    number = types.uint64
    return types.void(target, number, source, others, number, number, number), _generate_add_rows


def _generate_add_rows(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    from llvmlite import ir
    from numba.core import cgutils

    target, row, source, others, first, behind, column = arguments
    kind, number = _vector(ir.FloatType(), 16), ir.IntType(64)
    place = _pointer(builder, address(context, builder, signature.args[0], target, row, column), kind)
    total = cgutils.alloca_once_value(builder, builder.load(place, align=4))
    with cgutils.for_range(builder, builder.sub(behind, first)) as loop:
        at = builder.add(first, loop.index)
        item = _pointer(builder, address(context, builder, signature.args[3], others, at), number)
        other = builder.and_(builder.load(item, align=8), number(0xFFFFFFFF))
        values = address(context, builder, signature.args[2], source, other, column)
        loaded = builder.load(_pointer(builder, values, kind), align=4)
        builder.store(builder.fadd(builder.load(total), loaded), total)
    builder.store(builder.load(total), place, align=4)
    return context.get_dummy_value()


def _add_byte(builder: Any, states: Any, values: Any, shift: int) -> Any:
    """32-bit FNV-1a of the byte that lies `shift` bits up, which fastText extends as a signed one."""
    kind = values.type
    top = builder.shl(values, _constant(kind, 24 - shift)) if shift < 24 else values
    signed = builder.ashr(top, _constant(kind, 24))
    return builder.mul(builder.xor(states, signed), _constant(kind, _PRIME))


def _add_characters(bytes_of_one: int) -> Callable[..., Any]:
    """Code of `add_characters_16` for characters of up to so many bytes."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        from llvmlite import ir

        units, at, states, place = arguments
        kind = _vector(ir.IntType(32), 16)
        values = builder.load(
            _pointer(builder, address(context, builder, signature.args[0], units, at), kind), align=4
        )
        target = _pointer(builder, address(context, builder, signature.args[2], states, place), kind)
        found = _add_byte(builder, builder.load(target, align=4), values, 0)
        for more in range(1, bytes_of_one):
            is_longer = builder.icmp_unsigned(">", values, _constant(kind, (1 << 8 * more) - 1))
            found = builder.select(is_longer, _add_byte(builder, found, values, 8 * more), found)
        builder.store(found, target, align=4)
        return context.get_dummy_value()

    return generate


def _declare_add_bytes(typing_context: Any, units: Any, at: Any, states: Any, place: Any) -> Any:
    from numba import types

    return types.void(units, types.uint64, states, types.uint64), _add_characters(1)


def _declare_add_characters(typing_context: Any, units: Any, at: Any, states: Any, place: Any) -> Any:
    from numba import types

    return types.void(units, types.uint64, states, types.uint64), _add_characters(4)


def _declare_remainders(
    typing_context: Any,
    states: Any,
    place: Any,
    divisor: Any,
    factor: Any,
    shift: Any,
    found: Any,
    row: Any,
    at: Any,
) -> Any:
    from numba import types

    number = types.uint64
    return types.void(states, number, number, number, number, found, number, number), _generate_remainders


def _generate_remainders(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    from llvmlite import ir

    states, place, divisor, factor, shift, found, row, at = arguments
    narrow, wide = _vector(ir.IntType(32), 16), _vector(ir.IntType(64), 16)
    source = address(context, builder, signature.args[0], states, place)
    values = builder.load(_pointer(builder, source, narrow), align=4)
    products = builder.mul(builder.zext(values, wide), _splat(builder, factor, wide))
    quotients = builder.trunc(builder.lshr(products, _splat(builder, shift, wide)), narrow)
    divisors = _splat(builder, builder.trunc(divisor, ir.IntType(32)), narrow)
    rest = builder.sub(values, builder.mul(quotients, divisors))
    is_below = builder.icmp_signed("<", rest, _constant(narrow, 0))
    rest = builder.select(is_below, builder.add(rest, divisors), rest)
    target = address(context, builder, signature.args[5], found, row, at)
    builder.store(rest, _pointer(builder, target, narrow), align=4)
    return context.get_dummy_value()


space_bits_64: Any = Instruction(_declare_space_bits)
"""``space_bits_64(data, start)``: which of the bytes uint8 ``data[start:start + 64]`` part words, as
`corpusforge.kernels.word_table.is_space` has it: a bit for each, the first one lowest."""

line_feed_bits_64: Any = Instruction(_declare_line_feed_bits)
"""``line_feed_bits_64(data, start)``: which of the bytes uint8 ``data[start:start + 64]`` are line feeds, as bits."""

copy_32: Any = Instruction(_declare_copy_32)
"""``copy_32(data, start, size, target, row)`` makes the first 32 bytes of ``target[row]`` those of uint8
``data[start:start + size]`` and zeros; `size` is up to 32, and ``data[start:start + 32]`` is read."""

widen_32: Any = Instruction(_declare_widen_32)
"""``widen_32(data, start, target, at)`` makes uint32 ``target[at:at + 32]`` the bytes ``data[start:start + 32]``."""

add_16: Any = Instruction(_declare_add_16)
"""``add_16(target, row, source, other, column)`` adds 16 columns, from `column` on, of float32 ``source[other]`` to
those of ``target[row]``."""

add_rows_16: Any = Instruction(_declare_add_rows)
"""``add_rows_16(target, row, source, others, first, behind, column)`` does the same for the rows of `source` that the
low halves of int64 ``others[first:behind]`` name, one after the other."""

add_bytes_16: Any = Instruction(_declare_add_bytes)
"""``add_bytes_16(units, at, states, place)`` takes the characters uint32 ``units[at:at + 16]``, each of one byte,
into the hashes uint32 ``states[place:place + 16]``: 32-bit FNV-1a of signed bytes, as fastText has it."""

add_characters_16: Any = Instruction(_declare_add_characters)
"""`add_bytes_16` for characters of one to four bytes, none of them NUL, the first one lowest."""

remainders_16: Any = Instruction(_declare_remainders)
"""``remainders_16(states, place, divisor, factor, shift, found, row, at)`` makes int32 ``found[row, at:at + 16]`` the
remainders of uint32 ``states[place:place + 16]`` by a divisor below 2^31, given its
`corpusforge.kernels.fasttext_ngrams.reciprocal`."""
