"""Weights of the released PyTorch code, in and out."""

from mavos_jax.conversion.convert import convert_state_dict, to_state_dict

__all__ = ["convert_state_dict", "to_state_dict"]
