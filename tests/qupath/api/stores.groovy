package qupath.lib.gui.images.stores

import java.awt.image.ColorModel

interface ImageRenderer {}

class ColorModelRenderer implements ImageRenderer {
    ColorModel colorModel

    ColorModelRenderer(ColorModel colorModel) { this.colorModel = colorModel }
}
