package qupath.lib.gui.viewer

import qupath.lib.images.ImageData

class OverlayOptions {
    boolean showPixelClassification
}

class QuPathViewer {
    OverlayOptions overlayOptions = new OverlayOptions()
    Object overlay
    ImageData imageData

    void setCustomPixelLayerOverlay(Object pathOverlay) { overlay = pathOverlay }

    void repaint() {}
}
