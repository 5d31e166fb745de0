"""Reads what XLA dumps of a program for a GPU: its instructions and its thunks."""

import dataclasses
import functools
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_BYTES = {"pred": 1, "s8": 1, "u8": 1, "s16": 2, "u16": 2, "bf16": 2, "f16": 2, "s32": 4, "u32": 4}
_BYTES |= {"f32": 4, "s64": 8, "u64": 8, "f64": 8, "c64": 8, "f8e4m3fn": 1, "f8e5m2": 1}
_ARRAY = re.compile(rf"\b({'|'.join(_BYTES)})\[([\d,]*)\]")
_COMPUTATION = re.compile(r"(?:ENTRY )?%?([\w.\-]+) \(.*\{\s*$")
_INSTRUCTION = re.compile(r"\s+(?:ROOT )?%?([\w.\-]+) = ")
_THUNK = re.compile(r"( *)(\d+): (k\w+)")
_BRANCH = re.compile(r"( *)(condition|body|false_branch|true_branch|branch_?\d+\S*):\s*$")
_METADATA = re.compile(r'profile_annotation: "([^"]*)"\s+thunk_id: (\d+)')


class Instruction(NamedTuple):
    """An instruction of the optimised program, as text."""

    name: str
    shape: str  # of its result
    op: str
    operands: tuple[str, ...]  # names, with ``#i`` for element i of a tuple
    inside: str  # the operands' text
    attributes: str


@dataclasses.dataclass
class Thunk:
    """A step of the runtime: a kernel, library call, copy, CUDA graph, loop or condition."""

    kind: str  # such as ``kConvolution``
    number: int  # names its instruction
    # A loop has ``condition`` and ``body``; the branch of a graph has no name.
    branches: "dict[str, list[Thunk]]" = dataclasses.field(default_factory=dict)

    @property
    def inside(self) -> "Iterator[Thunk]":
        """All thunks directly inside."""
        return (thunk for branch in self.branches.values() for thunk in branch)


class Dump(NamedTuple):
    """A dumped program: thunks in order, and by name instructions and what fusions call."""

    thunks: list[Thunk]
    names: dict[int, str]
    instructions: dict[str, Instruction]
    computations: dict[str, list[Instruction]]

    def instruction(self, thunk: Thunk) -> Instruction | None:
        """The instruction that a thunk carries out, if any."""
        return self.instructions.get(self.names.get(thunk.number, ""))

    def body(self, instruction: Instruction) -> list[Instruction]:
        """What a fusion fuses; an instruction that calls nothing is its own body."""
        called = re.search(r"calls=%?([\w.\-]+)", instruction.attributes)
        return self.computations.get(called[1], []) if called else [instruction]

    def shape(self, operand: str) -> str:
        """The type and dimensions of an operand, as text."""
        name, _, index = operand.partition("#")
        found = self.instructions.get(name)
        if found is None:
            return ""
        return _elements(found.shape)[int(index)] if index else found.shape


_PROGRAMS = "*gpu_after_optimizations.txt"


def require_no_dump(folder: Path) -> None:
    """Raises ValueError if a folder has an earlier dump, which could be taken for the new one."""
    if any(folder.glob(_PROGRAMS)):
        raise ValueError(f"{folder}: expected no dump, found an earlier one; give another --dump")


def read_dump(folder: Path) -> Dump:
    """Reads the largest program that was dumped into a folder."""
    programs = sorted(folder.glob(_PROGRAMS), key=lambda x: x.stat().st_size)
    if not programs:
        raise ValueError(f"{folder}: expected XLA's dump of a program for a GPU, found none")
    stem = programs[-1].name.partition(".sm_")[0]
    thunks = folder / f"{stem}.thunk_sequence_after_thunk_passes.txt"
    if not thunks.exists():  # no pass changed anything: there are no graphs
        thunks = folder / f"{stem}.thunk_sequence.txt"
    metadata = (folder / f"{stem}.thunk_metadata.txt").read_text()
    names = {int(number): name for name, number in _METADATA.findall(metadata)}
    computations = _read_program(programs[-1].read_text(errors="replace"))
    instructions = {each.name: each for body in computations.values() for each in body}
    return Dump(_read_thunks(thunks.read_text()), names, instructions, computations)


def arrays(shape: str) -> list[tuple[str, list[int]]]:
    """Returns type and dimensions of every array in a shape's text."""
    return [(kind, [int(n) for n in size.split(",") if n]) for kind, size in _ARRAY.findall(shape)]


def num_bytes(shape: str) -> int:
    """Returns the size of all arrays in a shape's text."""
    return sum(_BYTES[kind] * math.prod(size) for kind, size in arrays(shape))


def _read_program(text: str) -> dict[str, list[Instruction]]:
    computations: dict[str, list[Instruction]] = {}
    current: list[Instruction] = []
    for line in text.splitlines():
        if not line.startswith(" "):
            found = _COMPUTATION.match(line)
            current = computations.setdefault(found[1], []) if found else []
        elif found := _INSTRUCTION.match(line):
            end = _close(line, found.end(), " ")
            op = re.match(r" ([\w\-]+)\(", line[end:])
            if op is not None:
                start = end + op.end()
                stop = _close(line, start, ")")
                inside = line[start:stop]
                operands = tuple(re.findall(r"%([\w.\-]+(?:#\d+)?)", inside))
                shape, attributes = line[found.end() : end], line[stop + 1 :]
                current.append(Instruction(found[1], shape, op[1], operands, inside, attributes))
    return computations


def _read_thunks(text: str) -> list[Thunk]:
    root = Thunk("kSequential", -1)
    stack: list[tuple[int, Thunk, str]] = [(-1, root, "")]  # indentation, thunk, its open branch
    for line in text.splitlines():
        if found := _BRANCH.match(line):
            # "condition:" is printed without indentation, right after its loop.
            depth = len(found[1]) if found[2] != "condition" else math.inf
            while stack[-1][1].kind not in ("kWhile", "kConditional") or stack[-1][0] > depth:
                stack.pop()
            indentation, holder, _ = stack[-1]
            holder.branches[found[2]] = []
            stack[-1] = indentation, holder, found[2]
        elif found := _THUNK.match(line):
            while stack[-1][0] >= len(found[1]):
                stack.pop()
            _, holder, branch = stack[-1]
            thunk = Thunk(found[3], int(found[2]))
            holder.branches.setdefault(branch, []).append(thunk)
            stack.append((len(found[1]), thunk, ""))
    return root.branches.get("", [])


def _close(text: str, start: int, *ends: str) -> int:
    """Returns the place of the first of ``ends`` from ``start`` on that is outside of brackets."""
    depth = 0
    for place in range(start, len(text)):
        if depth == 0 and text[place] in ends:
            return place
        depth += (text[place] in "([{") - (text[place] in ")]}")
    return len(text)


@functools.cache
def _elements(shape: str) -> list[str]:
    parts, start = [], 1
    while start < len(shape) - 1:
        end = _close(shape, start, ",", ")")
        parts.append(shape[start:end])
        start = end + 1
    return parts
