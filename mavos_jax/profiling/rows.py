"""Rows: every combination of the options that say what to measure on, measured in turns."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple

import jax

from mavos_jax.profiling.ceilings import Ceilings, copy_sampler, product_sampler
from mavos_jax.profiling.options import MEASUREMENTS, Arguments
from mavos_jax.profiling.own_process import Job, Outcome, run_in_own_process
from mavos_jax.profiling.parts import Part, build_parts
from mavos_jax.profiling.precision import Precision, available
from mavos_jax.profiling.programs import Cost
from mavos_jax.profiling.protocols import end_to_end_sampler, online_sampler
from mavos_jax.profiling.rounds import Sampler, Timing, measure_in_turns
from mavos_jax.profiling.scan import NEVER, Scan
from mavos_jax.profiling.workload import Network, Setting, Workload

_Turns = Mapping[Hashable, Mapping[str, Timing]]


class Case(NamedTuple):
    """What a row is about.

    Attributes:
      network: the network.
      setting: what it is measured with.
      chunk_frames: frames of one scan.
      videos: segmented at once.
    """

    network: Network
    setting: Setting
    chunk_frames: int
    videos: int


class Row(NamedTuple):
    """What was measured of a case; None and empty where it was not asked for.

    Of several videos at once there is the scan alone.

    Attributes:
      case: what the row is about.
      frame_s: a frame of one video in the scan without a long-term write.
      written_s: a frame of one video in the scan with one.
      scan_fps: frames of all videos a second in the scan with a write every ``memory.gap`` frames.
      fps: frames a second by protocol.
      carry_bytes: of the state that goes from frame to frame.
      cost: of the compiled scan, of all its frames.
      peak_bytes: of the allocator, in a process of its own; on accelerators only.
      frame_flops: products and convolutions of a frame without a write.
      roofline: the time of the frame's parts at the device's ceilings, over the frame's.
    """

    case: Case
    frame_s: Timing | None
    written_s: Timing | None
    scan_fps: float | None
    fps: Mapping[str, Timing]
    carry_bytes: int | None
    cost: Cost | None
    peak_bytes: int | None
    frame_flops: float | None
    roofline: float | None


class PartRow(NamedTuple):
    """What was measured of a part.

    Attributes:
      network: the network.
      setting: what it is measured with.
      name: of the part; those inside another follow it, indented.
      runs: how often a frame without a write runs it, unless it is inside another part.
      time_s: of one run.
      cost: of one run.
      roofline: its time at the device's ceilings over its time.
    """

    network: Network
    setting: Setting
    name: str
    runs: int
    time_s: Timing
    cost: Cost
    roofline: float


class Rows(NamedTuple):
    """All that was measured.

    Attributes:
      rows: one per case.
      parts: of every network and setting.
      products: rate of a large matrix product, FLOP/s, by precision.
      copy: rate of a large copy, bytes read and written a second.
      notes: what else there is to know.
    """

    rows: tuple[Row, ...]
    parts: tuple[PartRow, ...]
    products: Mapping[Precision, Timing]
    copy: Timing
    notes: tuple[str, ...]

    def ceilings(self, precision: Precision) -> Ceilings:
        """Returns the device's medians."""
        return Ceilings(self.products[precision].median, self.copy.median)


class _Built(NamedTuple):
    """Everything compiled, and how to measure it."""

    scans: dict[Case, Scan]
    parts: dict[tuple[Network, Setting], list[Part]]
    samplers: dict[Hashable, Sampler]


def measure_rows(networks: Sequence[Network], arguments: Arguments) -> Rows:
    """Measures every combination of the options."""
    precisions = arguments.precisions or (networks[0].experiment.inference.precision,)
    precisions, note = available(precisions)
    settings = itertools.product(arguments.frame_sizes, arguments.objects, precisions)
    chunks = arguments.chunk_frames or (arguments.frames,)
    several = itertools.starmap(Setting, settings)
    combinations = itertools.product(networks, several, chunks, arguments.videos)
    cases = [Case(*combination) for combination in dict.fromkeys(combinations)]
    built = _build(cases, arguments)
    turns: dict[Hashable, dict[str, Timing]] = measure_in_turns(built.samplers, arguments.repeats)
    found = Rows(
        rows=(),
        parts=(),
        products={precision: turns["product", precision]["flops"] for precision in precisions},
        copy=turns["copy"]["bytes"],
        notes=() if note is None else (note,),
    )
    parts = tuple(
        _part_row(*key, part, turns["part", key, index]["seconds"], found)
        for key, several in built.parts.items()
        for index, part in enumerate(several)
    )
    found = found._replace(parts=parts)
    return found._replace(rows=tuple(_row(case, built, turns, found) for case in cases))


def _build(cases: Sequence[Case], arguments: Arguments) -> _Built:
    wanted = arguments.measure or MEASUREMENTS
    built = _Built({}, {}, {"copy": copy_sampler()})
    variables = {case.network: case.network.variables() for case in cases}
    for case in cases:
        network, setting, chunk_frames, videos = case
        key, precision = (network, setting), setting.precision
        load = Workload.build(network.experiment, variables[network], setting)
        if ("product", precision) not in built.samplers:
            built.samplers["product", precision] = product_sampler(precision)
        if "frame" in wanted:
            built.scans[case] = Scan(load, chunk_frames, videos)
            built.samplers["scan", case] = _scan_sampler(built.scans[case], arguments.frames)
        if videos > 1:
            continue
        if "parts" in wanted and key not in built.parts:
            built.parts[key] = build_parts(load)
            for index, part in enumerate(built.parts[key]):
                built.samplers["part", key, index] = part.sample
        if {"aot", "xmem"} & set(wanted):
            built.samplers["online", key] = online_sampler(load, arguments.video_frames)
        if "end-to-end" in wanted:
            built.samplers["files", case] = end_to_end_sampler(
                load, chunk_frames, arguments.video_frames
            )
    return built


def _scan_sampler(scan: Scan, num_frames: int) -> Sampler:
    return lambda: {
        "frame": scan.frame_seconds(NEVER, num_frames),
        "written": scan.frame_seconds(1, num_frames),
    }


def _part_row(network: Network, setting: Setting, part: Part, time: Timing, found: Rows) -> PartRow:
    least = found.ceilings(setting.precision).least_seconds(part.cost)
    roofline = least / time.median
    return PartRow(network, setting, part.name, part.runs, time, part.cost, roofline)


def _row(case: Case, built: _Built, turns: _Turns, found: Rows) -> Row:
    network = case.network
    scan, scanned = built.scans.get(case), turns.get(("scan", case), {})
    frame, written = scanned.get("frame"), scanned.get("written")
    parts, protocols = [], {}
    if case.videos == 1:
        parts = [part for part in found.parts if (part.network, part.setting) == case[:2]]
        protocols = {**turns.get(("online", case[:2]), {}), **turns.get(("files", case), {})}
    scan_fps = least = None
    if frame is not None and written is not None:
        gap = network.experiment.memory.gap
        scan_fps = 1 / (frame.median + (written.median - frame.median) / gap)
    if parts:
        least = sum(part.runs * part.roofline * part.time_s.median for part in parts)
    return Row(
        case=case,
        frame_s=frame,
        written_s=written,
        scan_fps=scan_fps,
        fps=protocols,
        carry_bytes=None if scan is None else scan.carry_bytes,
        cost=None if scan is None else scan.cost,
        peak_bytes=_peak_bytes(case) if case.videos == 1 else None,
        frame_flops=sum(part.runs * part.cost.flops for part in parts) if parts else None,
        roofline=None if least is None or frame is None else least / frame.median,
    )


def _peak_bytes(case: Case) -> int | None:
    """Returns the allocator's peak over a video with a write; None where there is no allocator."""
    if jax.default_backend() == "cpu":
        return None
    num_frames = case.network.experiment.memory.gap + 2
    job = Job(case.network, case.setting, num_frames)
    outcome = run_in_own_process(job)
    return outcome.memory[1] if isinstance(outcome, Outcome) else None
