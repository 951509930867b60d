package qupath.lib.gui.viewer.overlays

import java.util.function.Function
import qupath.lib.gui.images.stores.ImageRenderer
import qupath.lib.gui.viewer.OverlayOptions

class PixelClassificationOverlay {
    Function function
    boolean live

    static PixelClassificationOverlay create(
            OverlayOptions options, Function function, ImageRenderer renderer) {
        return new PixelClassificationOverlay(function: function)
    }

    void setLivePrediction(boolean livePrediction) { live = livePrediction }
}
