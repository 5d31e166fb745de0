"""Lists and metadata of data sets."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping

from benchmark_trees import write_benchmark_tree
from mutation.documents import change_document, change_lines, odd_names
from mutation.subject import Places, Reader, Subject, put, require_lines

from mavos_jax.config import SourceConfig
from mavos_jax.datasets import Benchmark, BenchmarkOptions, check_benchmark, open_benchmark
from mavos_jax.datasets.listing import read_names
from mavos_jax.datasets.opening import open_files
from mavos_jax.datasets.sequences import SequenceFiles
from mavos_jax.evaluation.reading import mask_path
from mavos_jax.evaluation.run_folder import RunFolder
from mavos_jax.evaluation.sequence import SequenceTask

_FRAME = (48, 64)
_TRAINED: Mapping[str, str] = {
    "youtube_vos2019": "youtube_vos",
    "davis2017": "davis2017",
    "folder": "folder",
}


class Metadata(Subject):
    """What names the videos of a set: ``meta.json`` and lists."""

    needs_name = False  # a list that names what is not there is refused for what is not there

    def __init__(self, places: Places) -> None:
        super().__init__(places)
        self.names = odd_names(str(places.outside / "precious"))
        root = places.tree
        self.options = (
            write_benchmark_tree(root / "ytvos", "youtube_vos2019", split="train"),
            write_benchmark_tree(root / "lvos", "lvos2"),
            write_benchmark_tree(root / "davis", "davis2017"),
            write_benchmark_tree(root / "long", "long_time_video"),
            write_benchmark_tree(root / "any", "folder", split="train"),
        )
        put(root / "any/ImageSets/train.txt", b"bear\ndog-2\n")
        self.files = [file for file in sorted(root.rglob("*")) if file.suffix in (".json", ".txt")]
        self.chosen = self.files[0]
        # Folders outside that could be taken for a sequence of any set.
        self.videos = {m.parent.name for m in sorted(root.rglob("Annotations/**/*.png"))}
        for mask in sorted(root.rglob("Annotations/**/*.png")):
            put(places.outside / "precious" / mask.name, mask.read_bytes())

    def damage(self, rng: random.Random) -> dict[str, bytes | None]:
        self.chosen = rng.choice(self.files)
        data = self.chosen.read_bytes()
        change = change_document if self.chosen.suffix == ".json" else change_lines
        name = self.chosen.relative_to(self.places.tree).as_posix()
        if rng.random() < 0.25:
            return {name: self._lead_elsewhere(rng, data)}
        return {name: change(rng, data, self.names)}

    def _lead_elsewhere(self, rng: random.Random, data: bytes) -> bytes:
        """Gives a video an odd name and leaves all else as it is."""
        video = rng.choice([v for v in sorted(self.videos) if v.encode() in data])
        name = rng.choice(self.names)
        if self.chosen.suffix == ".json":
            return data.replace(json.dumps(video).encode(), json.dumps(name).encode())
        return data.replace(video.encode(), name.encode(errors="surrogateescape"))

    def readers(self) -> tuple[Reader, ...]:
        return (self._open, self._check, self._train, self._read_names)

    @property
    def _options(self) -> BenchmarkOptions:
        return next(o for o in self.options if self.chosen.is_relative_to(o.root))

    def _check(self) -> None:
        require_lines(check_benchmark(self._options), self.places.tree)

    def _read_names(self) -> None:
        assert read_names(self.chosen)

    def _open(self) -> None:
        """Opens the set and clears the places of its results, as a run does."""
        benchmark = open_benchmark(self._options)
        with RunFolder.opened(self.places.output, {}, {}) as folder:
            for sequence in benchmark.sequences:
                begun = folder.begin(_task(benchmark, sequence))
                mask = mask_path(begun.parent, sequence, 0)
                for path in (begun, mask):
                    assert path.resolve().is_relative_to(self.places.output / "masks"), path
                for path in (*sequence.frames, *sequence.truth.values()):
                    assert path.resolve().is_relative_to(self.places.tree), path

    def _train(self) -> None:
        options = self._options
        kind = _TRAINED.get(options.dataset)
        if kind is None:
            return
        source = SourceConfig(kind, str(options.root), options.split)
        for video in open_files(source):
            files = video.files
            assert isinstance(files, SequenceFiles)
            for index in range(len(files)):
                for path in (files.frames[index], files.mask_path(index)):
                    assert path.resolve().is_relative_to(self.places.tree), path


def _task(benchmark: Benchmark, sequence: object) -> SequenceTask:
    from mavos_jax.inference.geometry import Sizes

    return SequenceTask(benchmark, sequence, _FRAME, Sizes(_FRAME, _FRAME), "", (1,))  # type: ignore[arg-type]
