import jax

from mavos_jax.runtime.devices import peak_memory


def test_memory_is_named_after_what_was_measured(monkeypatch):
    name, num_bytes = peak_memory()
    assert name == "peak resident memory"
    assert 50e6 < num_bytes < 50e9

    class Accelerator:
        def memory_stats(self):
            return {"peak_bytes_in_use": 123}

    monkeypatch.setattr(jax, "local_devices", lambda: [Accelerator()])
    assert peak_memory() == ("peak device memory", 123)
