/*
 * Adds the objects of lds-path to the open slide, and leaves out those that are there already.
 *
 * Needs QuPath 0.6 or newer. Open the slide, open this file in the script editor
 * (Automate > Script editor, then File > Open), and choose Run, or "Run for project".
 *
 * The objects are looked for where the script's first argument says, then beside this script, then
 * in the folder that export wrote or in the project; if they are in none of them, you are asked for the file.
 * Objects of an earlier run are replaced if you say so (or `replace` is an argument), except what
 * you have unlocked.
 */

import groovy.json.JsonSlurper
import java.awt.geom.AffineTransform
import qupath.fx.dialogs.Dialogs
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
def present = hierarchy.getAllObjects(false)
def known = present*.getID() as Set
def objects = PathIO.readObjects(file)
def earlier = earlierObjects(present, objects)
if (earlier && !mayReplace(earlier.size())) {
    println "The ${earlier.size()} objects of an earlier run stay; none of ${file} was added."
    return
}
if (earlier) {
    hierarchy.removeObjects(earlier, true)
    println "${earlier.size()} objects of an earlier run were removed."
}
def added = objects.findAll { !(it.getID() in known) }
hierarchy.addObjects(placed(added, slide, server))
fireHierarchyUpdate()
println "${added.size()} objects of ${file} were added."


/** Says whether objects of an earlier run are replaced: as the arguments say, or you are asked. */
def mayReplace(number) {
    return (args && "replace" in args.toList()) || (getQuPath() != null && Dialogs.showYesNoDialog(
            "lds-path", "Replace the ${number} objects of an earlier run? What you have unlocked stays."))
}


def findObjects(slide) {
    def candidates = []
    if (args && args[0] != "replace") {
        candidates << new File(args[0])
    }
    def script = scriptFile()
    if (script != null) {
        def folder = script.getAbsoluteFile().getParentFile()
        candidates << new File(folder, slide.objects)
        candidates << new File(folder, "../../export/${slide.slide}/${slide.objects}")
        candidates << new File(folder, "../objects/${slide.objects}")
    }
    def found = candidates.find { it.isFile() }
    return found != null ? found.getCanonicalFile() : promptForFile("gz")
}
@PARTS choosing placing earlier script_file@
