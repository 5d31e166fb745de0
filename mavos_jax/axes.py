"""The axis legend of the package, and names for the arrays that everything passes around.

==========  =====================================================================================
``t``       frames
``g``       groups of up to ten objects
``h w``     rows and columns of a map; of the stride-16 map where several strides appear
``h1 w1``   rows and columns at network size; ``h4 w4`` at stride 4, and so on
``H W``     rows and columns of the source video
``n``       tokens of the stride-16 map, row-major: n = h w
``m``       tokens of a memory
``c d``     channels
``k``       channels of queries and keys
``v``       channels of values: visual and identity side by side
``p``       both branches of the E-LSTT side by side: p = 2 d
``o``       identities: channel 0 is the background, channel i the object in slot i
==========  =====================================================================================

The networks take one frame of one video: no batch axis. Batches, groups of objects and several
videos are ``jax.vmap`` or ``jax.lax.map`` over these functions.
"""

from jaxtyping import Array, Bool, Float, Int, Integer, UInt8

Frame = UInt8[Array, "H W 3"]  # one RGB frame at source size
Frames = UInt8[Array, "t H W 3"]  # RGB frames at source size
Image = Float[Array, "h1 w1 3"]  # a frame at network size, normalised as for ImageNet
SourceMask = Integer[Array, "H W"]  # object slots at source size
Propagated = Float[Array, "h w p"]  # both branches of the E-LSTT side by side: p = 2 d
Mask = Integer[Array, "h1 w1"]  # object slots at network size: 0 the background, 255 to ignore
Map = Float[Array, "h w c"]  # a feature map
Tokens = Float[Array, "n c"]  # the stride-16 map as a sequence
Logits = Float[Array, "h4 w4 o"]  # identity logits at stride 4 of the network size
Scalar = Int[Array, ""]  # a counter or a number of objects, traced
Flag = Bool[Array, ""]  # a traced condition
