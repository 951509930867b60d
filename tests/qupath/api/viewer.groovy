package qupath.lib.gui.viewer

class OverlayOptions {
    boolean showPixelClassification
}

class QuPathViewer {
    OverlayOptions overlayOptions = new OverlayOptions()
    Object overlay

    void setCustomPixelLayerOverlay(Object pathOverlay) { overlay = pathOverlay }

    void repaint() {}
}
