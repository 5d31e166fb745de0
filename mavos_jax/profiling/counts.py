"""Counts what a program launches, and models how long it takes."""

import dataclasses
import math
import re
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

from mavos_jax.profiling.dump import Dump, Instruction, Thunk, arrays, num_bytes

Kind = Literal["convolution", "product", "reduction", "gather", "conversion", "layout", "other"]
Number = int | float  # a count, or a mean of counts
_COPIES = {"kCopy", "kDeviceToDeviceCopy", "kMemset32BitValue", "kMemzero"}
_PRODUCTS = {"kGemm", "kCublasLtMatmul", "kCuDnn"}
_LAUNCHED = {"kKernel", "kCustomKernel", "kConvolution", "kCustomCall", *_COPIES, *_PRODUCTS}
_FREE = {"parameter", "bitcast", "tuple", "get-tuple-element", "constant", "broadcast", "reshape"}
_LAYOUT = {"transpose", "copy", "concatenate", "pad", "slice", "convert", "dynamic-slice"}
_LAYOUT |= {"dynamic-update-slice"}


class Rates(NamedTuple):
    """What a card was seen to reach."""

    memory: float  # bytes a second
    half: float = 700e12  # operations a second, in bfloat16
    rough: float = 350e12  # in float32 rounded to TF32
    full: float = 45e12  # in float32
    floor: float = 2.5e-6  # the least time of a kernel, in seconds


@dataclasses.dataclass
class Counts:
    """What a part of a program costs."""

    kernels: Number = 0  # kernels, library calls and copies
    graphs: Number = 0  # CUDA graphs
    launches: Number = 0  # what the host launches: graphs, and kernels outside them
    waits: Number = 0  # times that the host waits for the device to decide a condition or a loop
    bytes: Number = 0  # bytes read and written
    operations: Number = 0  # operations of products and convolutions
    # Modelled time: each kernel takes the longest of a floor, its bytes at the memory's rate and
    # its operations at theirs, without gaps and waits.
    seconds: Number = 0
    kinds: dict[Kind, Number] = dataclasses.field(default_factory=dict)  # kernels of each kind

    def add(self, other: "Counts", times: Number = 1) -> "Counts":
        """Adds what another part costs, so many times; returns itself."""
        for field in dataclasses.fields(self):
            if field.name != "kinds":
                value = getattr(self, field.name) + times * getattr(other, field.name)
                setattr(self, field.name, value)
        for kind, number in other.kinds.items():
            self.kinds[kind] = self.kinds.get(kind, 0) + times * number
        return self


class Chunk(NamedTuple):
    """What runs once per chunk, for a frame without a long-term write, and for one with it."""

    once: Counts
    frame: Counts
    written: Counts

    def mean(self, frames: int, gap: int) -> Counts:
        """Returns the mean over the frames of full chunks, every ``gap``-th of them written."""
        total = Counts().add(self.once, 1 / frames)
        return total.add(self.frame, 1 - 1 / gap).add(self.written, 1 / gap)


@dataclasses.dataclass(frozen=True)
class Counter:
    """Counts the thunks of a dump; ``is_rough`` tells that float32 products run in TF32."""

    dump: Dump
    rates: Rates
    is_rough: bool = True

    def chunk(self) -> Chunk:
        """Counts a scan over frames: the loop of the program that launches most."""
        loops = [thunk for thunk in self.dump.thunks if thunk.kind == "kWhile"]
        if not loops:
            raise ValueError("expected a program with a loop over frames, found none")
        scan = max(loops, key=lambda loop: self.count(loop.branches["body"], max).kernels)
        once = self.count([thunk for thunk in self.dump.thunks if thunk is not scan], max)
        if self._rounds(scan) is None:
            once.waits += 1
        body = scan.branches["body"]
        # Of the memory write, a condition, the branch that launches least or most.
        return Chunk(once, self.count(body, min), self.count(body, max))

    def count(
        self, thunks: Iterable[Thunk], choose: Callable[..., Counts], in_graph: bool = False
    ) -> Counts:
        """Counts thunks and what is inside; of branches the ``min`` or ``max`` by their kernels."""
        total = Counts()
        for thunk in thunks:
            if thunk.kind == "kCommandBuffer":
                total.add(Counts(graphs=1, launches=0 if in_graph else 1))
                total.add(self.count(thunk.inside, choose, True))
            elif thunk.kind == "kWhile":
                rounds = self._rounds(thunk)
                total.add(self.count(thunk.branches["body"], choose, in_graph), rounds or 1)
                total.waits += rounds is None and not in_graph
            elif thunk.kind == "kConditional":
                branches = [self.count(x, choose, in_graph) for x in thunk.branches.values()]
                total.add(choose(branches, key=lambda branch: branch.kernels))
                total.waits += not in_graph
            elif thunk.kind in _LAUNCHED:
                total.add(self.kernel(thunk))
                total.launches += not in_graph
            else:
                total.add(self.count(thunk.inside, choose, in_graph))
        return total

    def kernel(self, thunk: Thunk) -> Counts:
        """Counts a kernel, library call or copy without its launch."""
        instruction = self.dump.instruction(thunk)
        if instruction is None:
            return Counts(kernels=1, seconds=self.rates.floor, kinds={"layout": 1})
        body = self.dump.body(instruction)
        moved = self._bytes(instruction, body)
        operations = sum(map(self._operations, {x.name: x for x in [*body, instruction]}.values()))
        shapes = [instruction.shape, *map(self.dump.shape, instruction.operands)]
        is_half = any("bf16[" in shape for shape in shapes)
        rate = self.rates.rough if self.is_rough else self.rates.full
        times = moved / self.rates.memory, operations / (self.rates.half if is_half else rate)
        return Counts(
            kernels=1,
            bytes=moved,
            operations=operations,
            seconds=max(self.rates.floor, *times),
            kinds={_kind(thunk, {x.op for x in body} - _FREE): 1},
        )

    def _rounds(self, loop: Thunk) -> int | None:
        instruction = self.dump.instruction(loop)
        text = instruction.attributes if instruction is not None else ""
        found = re.search(r'known_trip_count":\{"n":"(\d+)"', text)
        return int(found[1]) if found else None

    def _bytes(self, instruction: Instruction, body: list[Instruction]) -> int:
        read = {name: num_bytes(self.dump.shape(name)) for name in instruction.operands}
        if any(x.op == "dynamic-update-slice" for x in body):
            # In place: only the slice is read and written.
            return 2 * (sum(read.values()) - max(read.values(), default=0))
        if instruction not in body:
            for x in body:  # of an operand that is only sliced, the slice is read
                if x.op == "parameter" and x.inside.strip().isdigit():
                    name = instruction.operands[int(x.inside)]
                    users = [y for y in body if x.name in y.operands]
                    if users and all(y.op in ("slice", "dynamic-slice", "gather") for y in users):
                        read[name] = min(read[name], sum(num_bytes(y.shape) for y in users))
        return sum(read.values()) + num_bytes(instruction.shape)

    def _operations(self, instruction: Instruction) -> float:
        text, out = instruction.attributes, arrays(instruction.shape)
        operands = [arrays(self.dump.shape(name)) for name in instruction.operands[:2]]
        if len(operands) < 2 or not (out and operands[0] and operands[1]):
            return 0.0
        (_, left), (_, right) = operands[0][0], operands[1][0]
        if instruction.op == "dot" or "__cublas" in text:
            found = re.search(r'lhs_contracting_dim\w+"?[=:][\[{]([\d",]*)[\]}]', text)
            axes = [int(axis) for axis in re.findall(r"\d+", found[1])] if found else [-1]
            return 2.0 * math.prod(out[0][1]) * math.prod(left[axis] for axis in axes)
        if instruction.op == "convolution" or "__cudnn$conv" in text:
            labels = re.search(r"dim_labels=\w+_(\w+)->", text)
            outputs = right[labels[1].index("o")] if labels else right[-1]
            return 2.0 * math.prod(out[0][1]) * math.prod(right) / max(outputs, 1)
        return 0.0


def _kind(thunk: Thunk, ops: set[str]) -> Kind:
    if thunk.kind == "kConvolution":
        return "convolution"
    if thunk.kind in _PRODUCTS or "dot" in ops:
        return "product"
    if ops & {"reduce", "reduce-window"}:
        return "reduction"
    if "gather" in ops:
        return "gather"
    if ops == {"convert"}:
        return "conversion"
    return "layout" if thunk.kind in _COPIES or ops <= _LAYOUT else "other"
