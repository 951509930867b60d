/*
 * Adds the objects of lds-path to the open slide, and leaves out those that are there already.
 *
 * Needs QuPath 0.6 or newer. Open the slide, open this file in the script editor
 * (Automate > Script editor, then File > Open), and choose Run, or "Run for project".
 *
 * The objects are looked for where the script's first argument says, then beside this script, then
 * in the folder that export wrote; if they are in none of them, you are asked for the file.
 * Objects of an earlier analysis stay: delete them first (Objects > Delete).
 */

import groovy.json.JsonSlurper
import java.awt.geom.AffineTransform
import qupath.lib.io.PathIO
import qupath.lib.objects.PathObjectTools
import qupath.lib.scripting.ScriptAttributes

def slides = new JsonSlurper().parseText('''@CONTENT@''').slides

def server = getCurrentServer()
if (server == null) {
    println "Open a slide first (${slides*.slide.join(', ')}), then run this script again."
    return
}
def slide = chooseSlide(slides, server)
if (slide == null) {
    println "The open image is none of the slides ${slides*.slide.join(', ')}."
    return
}
def tolerance = 2 * slide.downsample
if (server.getWidth() < slide.width_l0 - tolerance || server.getHeight() < slide.height_l0 - tolerance
        || (isWhole(slide, server) && slide.left_l0 == 0 && slide.top_l0 == 0)) {
    println "The open image is ${server.getWidth()} x ${server.getHeight()} pixels, the objects " +
            "of ${slide.slide} were made for ${slide.width_l0} x ${slide.height_l0}: is it the " +
            "same slide?"
}

def file = findObjects(slide)
if (file == null) {
    println "No file with objects was chosen."
    return
}
def hierarchy = getCurrentHierarchy()
def known = hierarchy.getAllObjects(false).collect { it.getID() } as Set
def objects = PathIO.readObjects(file).findAll { !(it.getID() in known) }
hierarchy.addObjects(placed(objects, slide, server))
fireHierarchyUpdate()
println "${objects.size()} objects of ${file} were added."


def chooseSlide(slides, server) {
    def names = [getProjectEntry()?.getImageName()]
    names.addAll(server.getURIs().collect { new File(it.getPath() ?: "").getName() })
    def named = slides.find { it.slide in names || it.file in names }
    return named ?: (slides.size() == 1 ? slides[0] : null)
}


/** Returns the objects where the open image has them: it begins at the bounds or at the file's corner. */
def placed(objects, slide, server) {
    def left = (slide.frame == "level0" ? -slide.left_l0 : 0) + (isWhole(slide, server) ? slide.left_l0 : 0)
    def top = (slide.frame == "level0" ? -slide.top_l0 : 0) + (isWhole(slide, server) ? slide.top_l0 : 0)
    if (left == 0 && top == 0) {
        return objects
    }
    def shift = AffineTransform.getTranslateInstance(left, top)
    return objects.collect { PathObjectTools.transformObject(it, shift, true, false) }
}


/** Says whether the open image reaches beyond the scanned part: opened uncropped, or not with OpenSlide. */
def isWhole(slide, server) {
    def tolerance = 2 * slide.downsample
    return server.getWidth() > slide.width_l0 + tolerance || server.getHeight() > slide.height_l0 + tolerance
}


def findObjects(slide) {
    def candidates = []
    if (args) {
        candidates << new File(args[0])
    }
    def script = scriptFile()
    if (script != null) {
        def folder = script.getAbsoluteFile().getParentFile()
        candidates << new File(folder, slide.objects)
        candidates << new File(folder, "../../export/${slide.slide}/${slide.objects}")
    }
    def found = candidates.find { it.isFile() }
    return found != null ? found.getCanonicalFile() : promptForFile("gz")
}


def scriptFile() {
    try {
        def path = getProperty(ScriptAttributes.FILE_PATH)
        return path == null ? null : new File(path as String)
    } catch (MissingPropertyException ignored) {
        return null // the script was pasted and not saved
    }
}
