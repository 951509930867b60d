"""The objects of a GeoJSON file in the formats of other programs."""
