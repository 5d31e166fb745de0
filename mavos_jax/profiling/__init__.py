"""What the network costs: ``python -m mavos_jax.profiling``, ``.lengths``, ``.training``, ...

``python -m mavos_jax.profiling.compiled`` says where the time of a GPU would go.
"""
