import jax
import jax.numpy as jnp
import pytest

from mavos_jax.runtime import devices as timing
from mavos_jax.runtime.devices import CompilationClock, peak_memory


def test_compilation_is_measured_once_and_running_is_not():
    compiled = jax.jit(lambda x: jnp.sin(x) * 3 + 1)
    with CompilationClock() as first:
        compiled(jnp.ones(7)).block_until_ready()
    assert first.seconds > 0
    argument = jnp.ones(7)
    with CompilationClock() as second:
        compiled(argument).block_until_ready()
    assert second.seconds == 0


def test_overlapping_reports_count_once(monkeypatch):
    now = iter([10.0, 11.0, 20.0])
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(now))
    clock = CompilationClock()
    with clock:
        for seconds in (1.0, 3.0, 2.0):  # 9..10 lies inside 8..11; then 18..20
            jax.monitoring.record_event_duration_secs(
                "/jax/core/compile/backend_compile_duration", seconds
            )
        jax.monitoring.record_event_duration_secs("/jax/another/duration", 5.0)
    jax.monitoring.record_event_duration_secs("/jax/core/compile/late", 5.0)
    assert clock.seconds == pytest.approx(5.0)


def test_memory_is_named_after_what_was_measured(monkeypatch):
    name, num_bytes = peak_memory()
    assert name == "peak resident memory"
    assert 50e6 < num_bytes < 50e9

    class Accelerator:
        def memory_stats(self):
            return {"peak_bytes_in_use": 123}

    monkeypatch.setattr(jax, "local_devices", lambda: [Accelerator()])
    assert peak_memory() == ("peak device memory", 123)


def test_a_compilation_under_way_is_known():
    seen = []
    with CompilationClock() as clock:

        def listen(event, duration_secs, **kwargs):
            seen.append((event.rpartition("/")[2], clock.is_compiling))

        jax.monitoring.register_event_duration_secs_listener(listen)
        try:
            jax.jit(lambda x: jnp.cos(x) * 5)(jnp.ones(3)).block_until_ready()
        finally:
            jax.monitoring.unregister_event_duration_listener(listen)
    assert ("jaxpr_to_mlir_module_duration", True) in seen
    assert ("backend_compile_duration", False) in seen
    assert not clock.is_compiling
