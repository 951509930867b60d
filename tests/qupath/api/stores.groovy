package qupath.lib.gui.images.stores

import java.awt.image.ColorModel

interface ImageRenderer {}

class ColorModelRenderer implements ImageRenderer {
    ColorModelRenderer(ColorModel colorModel) {}
}
