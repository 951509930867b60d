"""The shape of texture, for what must know it without arrays; `pixels.texture` measures it."""

OCTAVES = 3
TEXTURE_CHANNELS = 3 * OCTAVES
"""Each octave in red, green and blue."""
TEXTURE_EDGE = 2**OCTAVES
"""Of the square of pixels that has one value, in pixels."""
