/*
 * Shows the label image of lds-path over the slide, in the colours of its classes.
 *
 * Needs QuPath 0.6 or newer. Open the slide, open this file in the script editor
 * (Automate > Script editor, then File > Open), and choose Run.
 *
 * The button "Show/hide pixel classification" and the opacity slider of the toolbar work on it.
 * Reset it with: getCurrentViewer().resetCustomPixelLayerOverlay()
 *
 * Where it knows several slides, the name of the image in the project, or else its file, says
 * which is open. The label image is looked for where the script's first argument says, then where
 * make_project.groovy found it, then beside this script, then in the folder that stitch wrote; if
 * it is in none of them, you are asked for it.
 */

import groovy.json.JsonSlurper
import java.awt.geom.AffineTransform
import java.util.function.Function
import javafx.application.Platform
import qupath.lib.color.ColorModelFactory
import qupath.lib.common.ColorTools
import qupath.lib.gui.images.stores.ColorModelRenderer
import qupath.lib.gui.viewer.overlays.PixelClassificationOverlay
import qupath.lib.images.servers.TransformedServerBuilder
import qupath.lib.objects.classes.PathClass
import qupath.lib.scripting.ScriptAttributes

def slides = new JsonSlurper().parseText('''@CONTENT@''').slides

def viewer = getCurrentViewer()
def slide = getCurrentServer()
if (viewer == null || slide == null) {
    println "Open a slide first (${slides*.slide.join(', ')}), then run this script again."
    return
}
def overlay = chooseSlide(slides, slide)
if (overlay == null) {
    println "The open image is none of the slides ${slides*.slide.join(', ')}."
    return
}
def tolerance = 2 * overlay.downsample
if (Math.abs(slide.getWidth() - overlay.width_l0) > tolerance
        || Math.abs(slide.getHeight() - overlay.height_l0) > tolerance) {
    println "The open image is ${slide.getWidth()} x ${slide.getHeight()} pixels, the labels of " +
            "${overlay.slide} were made for ${overlay.width_l0} x ${overlay.height_l0}: is it " +
            "the same slide, opened with OpenSlide?"
}

def file = findLabels(overlay)
if (file == null) {
    println "No label image was chosen."
    return
}

// QuPath asks for labels in pixels of the slide, so the label image is enlarged to it.
def labels = buildServer(file.toURI().toString())
if (overlay.downsample != 1) {
    def enlarge = AffineTransform.getScaleInstance(overlay.downsample, overlay.downsample)
    labels = new TransformedServerBuilder(labels).transform(enlarge).build()
}

// 0 is not analysed: no class, transparent.
def classes = [0: null] as TreeMap<Integer, PathClass>
overlay.classes.each {
    classes[it.value as Integer] = PathClass.fromString(it.name, ColorTools.packRGB(*it.color))
}
def colors = ColorModelFactory.getIndexedClassificationColorModel(classes)
def layer = PixelClassificationOverlay.create(
        viewer.getOverlayOptions(),
        { imageData -> labels } as Function,
        new ColorModelRenderer(colors))
layer.setLivePrediction(true)
Platform.runLater {
    viewer.setCustomPixelLayerOverlay(layer)
    viewer.getOverlayOptions().setShowPixelClassification(true)
    viewer.repaint()
}
println "${file} lies over the slide."


def findLabels(overlay) {
    def candidates = []
    if (args) {
        candidates << new File(args[0])
    }
    def noted = getProjectEntry()?.getMetadata()?.get("lds-path labels")
    if (noted) {
        candidates << new File(noted)
    }
    def script = scriptFile()
    if (script != null) {
        def folder = script.getAbsoluteFile().getParentFile()
        candidates << new File(folder, overlay.labels)
        candidates << new File(folder, "../../stitch/${overlay.slide}/${overlay.labels}")
    }
    def found = candidates.find { it.isFile() }
    return found != null ? found.getCanonicalFile() : promptForFile("tif")
}
@PARTS choosing script_file@
