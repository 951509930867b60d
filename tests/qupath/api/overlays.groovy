package qupath.lib.gui.viewer.overlays

import java.util.function.Function
import qupath.lib.gui.images.stores.ImageRenderer
import qupath.lib.gui.viewer.OverlayOptions

class PixelClassificationOverlay {
    Function function
    boolean live
    ImageRenderer renderer

    static PixelClassificationOverlay create(
            OverlayOptions options, Function function, ImageRenderer renderer) {
        return new PixelClassificationOverlay(function: function, renderer: renderer)
    }

    void setLivePrediction(boolean livePrediction) { live = livePrediction }
}
