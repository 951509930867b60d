/*
 * Shows how sure lds-path is, or how densely it sampled, as a live overlay over the slide.
 *
 * Needs QuPath 0.6 or newer, and a run with `stitch: confidence: true` or `density: true` in
 * config.yaml. Open the slide, open this file in the script editor (Automate > Script editor, then
 * File > Open), and choose Run.
 *
 * Of two maps the confidence is shown; write "density" below, or as the script's first argument,
 * for the other. Confidence: yellow is sure, dark blue is not. Density: the brighter, the closer
 * the samples lie. The button "Show/hide pixel classification" and the opacity slider of the
 * toolbar work on it. Reset it with: getCurrentViewer().resetCustomPixelLayerOverlay()
 */

import groovy.json.JsonSlurper
import java.awt.geom.AffineTransform
import java.awt.image.DataBuffer
import java.awt.image.IndexColorModel
import java.util.function.Function
import javafx.application.Platform
import qupath.lib.common.ColorTools
import qupath.lib.gui.images.stores.ColorModelRenderer
import qupath.lib.gui.viewer.overlays.PixelClassificationOverlay
import qupath.lib.images.servers.TransformedServerBuilder
import qupath.lib.scripting.ScriptAttributes

def wanted = args ? args[0] : "confidence"

def slides = new JsonSlurper().parseText('''@CONTENT@''').slides

def viewer = getCurrentViewer()
def server = getCurrentServer()
if (viewer == null || server == null) {
    println "Open a slide first (${slides*.slide.join(', ')}), then run this script again."
    return
}
def slide = chooseSlide(slides, server)
if (slide == null) {
    println "The open image is none of the slides ${slides*.slide.join(', ')}."
    return
}
def map = slide.maps.find { it.name == wanted } ?: slide.maps.find()
if (map == null) {
    println "There is no map of ${slide.slide}: set confidence or density of stitch to true in " +
            "config.yaml and run lds-path again."
    return
}
def tolerance = 2 * slide.downsample
if (Math.abs(server.getWidth() - slide.width_l0) > tolerance
        || Math.abs(server.getHeight() - slide.height_l0) > tolerance) {
    println "The open image is ${server.getWidth()} x ${server.getHeight()} pixels, the map of " +
            "${slide.slide} was made for ${slide.width_l0} x ${slide.height_l0}: is it the same " +
            "slide, opened with OpenSlide?"
}
def file = findMap(slide, map)
if (file == null) {
    println "No image was chosen."
    return
}

// QuPath asks for the map in pixels of the slide, so it is enlarged to it.
def enlarge = AffineTransform.getScaleInstance(map.downsample, map.downsample)
def values = new TransformedServerBuilder(buildServer(file.toURI().toString()))
        .transform(enlarge).build()
def layer = PixelClassificationOverlay.create(
        viewer.getOverlayOptions(),
        { imageData -> values } as Function,
        new ColorModelRenderer(colorModel(map)))
layer.setLivePrediction(true)
Platform.runLater {
    viewer.setCustomPixelLayerOverlay(layer)
    viewer.getOverlayOptions().setShowPixelClassification(true)
    viewer.repaint()
}
println "${file} lies over the slide: ${map.meaning}"


/** Colours from the lowest to the highest value of the map; 0 is not known and transparent. */
def colorModel(map) {
    def ramps = [ // viridis and inferno of matplotlib, nine colours of each
        confidence: [[68, 1, 84], [71, 44, 123], [58, 82, 139], [44, 114, 142], [32, 144, 140],
                     [40, 174, 127], [94, 201, 97], [173, 220, 48], [253, 231, 36]],
        density: [[0, 0, 3], [32, 12, 74], [87, 15, 109], [137, 34, 105], [187, 55, 84],
                  [228, 90, 49], [249, 142, 8], [248, 203, 52], [252, 254, 164]],
    ]
    def ramp = ramps[map.name]
    def colors = new int[256]
    (1..255).each { value ->
        double share = (value - map.low) / (double) Math.max(map.high - map.low, 1)
        double place = Math.min(Math.max(share, 0d), 1d) * (ramp.size() - 1)
        def below = Math.min((int) place, ramp.size() - 2)
        double above = place - below
        def mixed = (0..2).collect {
            (int) Math.round(ramp[below][it] * (1 - above) + ramp[below + 1][it] * above)
        }
        colors[value] = ColorTools.packRGB(*mixed)
    }
    return new IndexColorModel(8, 256, colors, 0, true, -1, DataBuffer.TYPE_BYTE)
}


def findMap(slide, map) {
    def candidates = []
    def noted = getProjectEntry()?.getMetadata()?.get("lds-path labels")
    if (noted) {
        candidates << new File(new File(noted).getParentFile(), map.file)
    }
    def script = scriptFile()
    if (script != null) {
        def folder = script.getAbsoluteFile().getParentFile()
        candidates << new File(folder, map.file)
        candidates << new File(folder, "../../stitch/${slide.slide}/${map.file}")
    }
    def found = candidates.find { it.isFile() }
    return found != null ? found.getCanonicalFile() : promptForFile("tif")
}
@PARTS choosing script_file@
