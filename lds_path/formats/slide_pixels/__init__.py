"""The pixels of a pyramid's levels, computed from its slide."""
