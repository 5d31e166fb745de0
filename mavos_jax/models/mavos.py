"""MAVOS: encoder, identification, E-LSTT, MCA memory and decoder as one module (paper Fig. 2a).

One frame of one group of objects; :mod:`mavos_jax.inference.step` composes these methods.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, assert_never

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from mavos_jax.axes import Image, Logits, Mask, Propagated, Tokens
from mavos_jax.config import NUM_IDENTITIES, ELSTTConfig, Experiment, LSTTConfig
from mavos_jax.config.checks import require_kind
from mavos_jax.models.backend import Backend, backend_for
from mavos_jax.models.decoder import Adapted, FPNDecoder
from mavos_jax.models.elstt import ELSTT
from mavos_jax.models.encoders import build_encoder
from mavos_jax.models.identification import STRIDE, Identification
from mavos_jax.models.initialisation import initialise
from mavos_jax.models.layers import dense
from mavos_jax.models.lstt import LSTT
from mavos_jax.models.mca import MemoryModulation
from mavos_jax.models.memory import KeyValues, Memory, Pending, dynamic_part, long_term_bias
from mavos_jax.runtime.devices import in_32_bits, require_device

Variables = dict[str, Any]  # "params": weights; "constants": frozen batch-norm vectors and others


class Features(NamedTuple):
    """What the encoder returns for one frame."""

    shortcuts: Adapted  # maps at strides 4, 8 and 16
    projected: Float[Array, "h w d"]  # the stride-16 map that enters the E-LSTT

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the stride-16 map."""
        return self.projected.shape[0], self.projected.shape[1]

    @property
    def tokens(self) -> Float[Array, "n d"]:
        """The projected map as a sequence."""
        return self.projected.reshape(-1, self.projected.shape[-1])


class MAVOS(nn.Module):
    """The network: MAVOS, or AOT-L and DeAOT-L with their transformers in ``elstt``."""

    config: Experiment
    backend: Backend  # how the expensive operations are computed

    def setup(self) -> None:
        config = self.config
        self.encoder = build_encoder(config.encoder, self.backend)
        self.encoder_projector = dense(config.elstt.dim, "encoder_projector", self.backend)
        self.identification = Identification(
            config.elstt.dim,
            config.align_corners,
            self.backend,
            is_normalised=config.elstt.normalises_identification,
        )
        match config.elstt:
            case ELSTTConfig():
                self.elstt = ELSTT(config.elstt, self.backend)
            case LSTTConfig():
                self.elstt = LSTT(config.elstt, self.backend)
            case _:
                assert_never(config.elstt)
        if config.memory.is_modulated:
            num_blocks = config.elstt.num_blocks
            self.memory_modulation = MemoryModulation(config.memory, num_blocks, self.backend)
        self.decoder = FPNDecoder(config.decoder, config.align_corners, self.backend)

    def encode(self, image: Image) -> Features:
        """Returns the features of a normalised image at network size."""
        stride4, stride8, stride16, last = self.encoder(image)
        shortcuts = self.decoder.adapt((stride4, stride8, stride16))
        return Features(shortcuts, self.encoder_projector(last))

    def identify(self, mask: Mask, num_identities: int = NUM_IDENTITIES) -> Tokens:
        """Returns the identification embedding [n, D] of a mask at network size."""
        return self.identification(mask, num_identities)

    def reference(self, features: Features, identification: Tokens) -> tuple[Propagated, KeyValues]:
        """Propagates a frame with a known mask from itself, and returns what it writes."""
        return self.elstt.reference(features.tokens, identification, features.size)

    def propagate(
        self, features: Features, memory: Memory
    ) -> tuple[Propagated, tuple[Pending, ...]]:
        """Propagates the memory's masks to a frame."""
        x, size = features.tokens, features.size
        bias = long_term_bias(self.config.memory, memory, len(x))
        return self.elstt.propagate(x, memory.long_term, memory.short_term, bias, size)

    def remember(self, pending: tuple[Pending, ...], identification: Tokens) -> KeyValues:
        """Returns what a propagated frame writes into memory, now that its mask is known."""
        return self.elstt.remember(pending, identification)

    def modulate(self, frame: KeyValues, memory: Memory, size: tuple[int, int]) -> KeyValues:
        """Fuses a frame with the dynamic memory by MCA (Eq. 4-6), or by ``memory.write``."""
        dynamic = dynamic_part(memory.long_term, size[0] * size[1])
        return self.memory_modulation(frame, dynamic, size)

    def decode(self, propagated: Propagated, features: Features) -> Logits:
        """Returns logits [h4, w4, 11] at stride 4."""
        return self.decoder(propagated, features.shortcuts)

    def init_all(self, image: Image, mask: Mask) -> Logits:
        """Runs every part once, for the initialisation of the variables."""
        features = self.encode(image)
        propagated, written = self.reference(features, self.identify(mask))
        if self.config.memory.is_modulated:
            self.modulate(written, Memory(written, written, jnp.int32(0)), features.size)
        return self.decode(propagated, features)


def build_model(config: Experiment, backend: Backend | None = None) -> MAVOS:
    """Returns the network of an experiment; raises ValueError if JAX lacks its device.

    ``backend`` says how the expensive operations are computed: by default as suits JAX's default
    device, in the precision of ``config.inference``.
    """
    require_kind("config", config, Experiment, "an Experiment; load_config reads one from a file")
    if backend is None:
        require_device()
        backend = backend_for(jax.default_backend(), config.inference.precision)
    return MAVOS(config, backend)


@in_32_bits
def init_variables(model: MAVOS, seed: int = 0) -> Variables:
    """Returns freshly initialised variables; no parameter depends on the frames' size."""
    config = model.config
    # Only what the network depends on, so that runs of one network share a program.
    parts = config.encoder, config.elstt, config.memory, config.decoder, config.align_corners
    network = Experiment("network", *parts)
    init = _initialiser(model.clone(config=network))  # pyright: ignore[reportArgumentType]
    return {"constants": {}, **init(jax.random.PRNGKey(seed))}


@functools.lru_cache(maxsize=8)
def _initialiser(model: MAVOS) -> Callable[[Array], Variables]:
    return initialise(functools.partial(_init, model))


def small_frame(config: Experiment) -> tuple[Image, Mask]:
    """Returns an image and a mask of a size that the network accepts, for tracing it."""
    side = 2 * STRIDE + (1 if config.align_corners else 0)
    return jnp.zeros((side, side, 3)), jnp.zeros((side, side), jnp.int32)


def _init(model: MAVOS, key: Array) -> Variables:
    variables = model.init(key, *small_frame(model.config), method=MAVOS.init_all)
    return {"params": variables["params"], "constants": variables.get("constants", {})}


@in_32_bits
def variable_shapes(config: Experiment) -> Variables:
    """Returns the variables of an experiment as ``jax.ShapeDtypeStruct``; computes nothing."""
    return jax.eval_shape(functools.partial(_init, build_model(config)), jax.random.PRNGKey(0))
