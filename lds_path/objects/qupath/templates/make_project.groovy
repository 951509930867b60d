/*
 * Puts all slides of the cohort with their classes and objects into a QuPath project.
 *
 * Needs QuPath 0.6 or newer. Open the project `qupath/project.qpproj` beside the results of the
 * stages, and choose Automate > Project scripts > make_project, then Run. Or open this file in the
 * script editor (Automate > Script editor, then File > Open) and choose Run: it uses, or makes,
 * that project. Without a window:
 *
 *     QuPath script make_project.groovy --args PROJECT --args SLIDES --args replace
 *
 * PROJECT is the folder of the project, SLIDES that of the slides; both may be left out. Slides
 * that are not where they were analysed are looked for by name and size, first beside the project,
 * then in the folder that you choose. One that cannot be opened is left out and named at the end.
 *
 * Objects that are there already stay. Those of an earlier run are replaced if you say so, except
 * what you have unlocked. The stain is that of the sample sheet's column `stain`, or you choose it.
 */

import groovy.json.JsonSlurper
import java.awt.geom.AffineTransform
import java.awt.image.BufferedImage
import java.text.Normalizer
import qupath.fx.dialogs.Dialogs
import qupath.fx.dialogs.FileChoosers
import qupath.lib.common.ColorTools
import qupath.lib.images.ImageData
import qupath.lib.io.PathIO
import qupath.lib.objects.PathObjectTools
import qupath.lib.objects.classes.PathClass
import qupath.lib.projects.ProjectIO
import qupath.lib.projects.Projects
import qupath.lib.scripting.ScriptAttributes

def content = new JsonSlurper().parseText('''@CONTENT@''')

def wishes = args ? args.toList() : []
def replace = wishes.remove("replace") ? true : null // null: not asked yet
def window = getQuPath() // null without a window: nobody can be asked
def script = scriptFile()?.getAbsoluteFile()
if (script == null) {
    println "Open this script from its file, and run it again."
    return
}
def results = new File(script.getParentFile(), "../..").getCanonicalFile()
def ready = new File(script.getParentFile(), "../project.qpproj").getCanonicalFile()
def home = wishes ? new File(wishes[0]).getAbsoluteFile()
        : ready.isFile() ? ready.getParentFile() : new File(results, "qupath")
home.mkdirs()
def file = new File(home, "project.qpproj")

// A project that is open must be changed where it is open, or QuPath would overwrite it later.
def open = getProject()
def isOpen = open != null && open.getPath().toFile().getCanonicalFile() == file.getCanonicalFile()
def project = isOpen ? open
        : file.isFile() ? ProjectIO.loadProject(file, BufferedImage)
        : Projects.createProject(file, BufferedImage)

def classes = new LinkedHashSet(project.getPathClasses())
content.classes.each {
    def color = ColorTools.packRGB(*it.color)
    def pathClass = PathClass.fromString(it.name, color)
    pathClass.setColor(color)
    classes << pathClass
}
project.setPathClasses(classes)

def beside = null // files beside the project
def chosen = wishes.size() > 1 ? listFiles(new File(wishes[1]), 8) : null // null: not asked yet
def type = null // of slides whose stain nobody has stated; null: not asked yet

/** Returns the file of a slide: where it was analysed, beside the project, or in the folder chosen. */
def locate = { slide ->
    def original = new File(slide.path)
    if (original.exists()) {
        return original
    }
    if (beside == null) {
        beside = listFiles(home, 3)
    }
    def found = chooseFile(slide, beside)
    if (found == null && chosen == null && window != null) {
        def folder = FileChoosers.promptForDirectory("Folder of the slides, such as ${slide.file}", home)
        chosen = listFiles(folder, 8)
    }
    found = found ?: chooseFile(slide, chosen ?: [])
    if (found == null) {
        throw new IOException("${slide.file} was not found; run this script again and choose the " +
                "folder of the slides")
    }
    return found
}

/** Returns the entry of a slide, whose image exists. */
def obtainEntry = { slide ->
    def entry = project.getImageList().find { it.getOriginalImageName() == slide.slide }
    if (entry == null) {
        def server = buildServer(locate(slide).toURI().toString(), *slide.arguments)
        entry = project.addImage(server.getBuilder())
        entry.setImageName(slide.slide)
        server.close()
        return entry
    }
    def missing = entry.getURIs().findAll { it.getScheme() == "file" && !new File(it.getPath()).exists() }
    if (missing) {
        entry.updateURIs([(missing[0]): locate(slide).toURI()])
    }
    return entry
}

/** Returns the type of an image by the stain that the sheet states, or that was chosen. */
def imageType = { slide ->
    if (slide.image_type) {
        return ImageData.ImageType.valueOf(slide.image_type)
    }
    if (type == null && window != null) {
        def later = "QuPath asks when a slide is opened"
        def types = ["Brightfield (H&E)": "BRIGHTFIELD_H_E", "Brightfield (H-DAB)": "BRIGHTFIELD_H_DAB",
                     "Brightfield (other, such as PAS)": "BRIGHTFIELD_OTHER"]
        def answer = Dialogs.showChoiceDialog("lds-path", "Stain of the slides (the sheet has none)",
                [later] + types.keySet(), later)
        type = types[answer] ?: "UNSET"
    }
    return ImageData.ImageType.valueOf(type ?: "UNSET")
}

/** Says whether objects of an earlier run are replaced; asks once. */
def mayReplace = { slide ->
    if (replace == null && window != null) {
        replace = Dialogs.showYesNoDialog("lds-path", "${slide.slide} has objects of an earlier run. " +
                "Replace them, here and in the other slides? What you have unlocked stays.")
    }
    return replace ?: false
}

/** Adds the objects of a slide to its image, unless it has them, and returns what was done. */
def addObjects = { slide, imageData ->
    def objects = PathIO.readObjects(findObjects(slide, results, home))
    def present = imageData.getHierarchy().getAllObjects(false)
    def ids = present*.getID() as Set
    def added = objects.findAll { !(it.getID() in ids) }
    def earlier = earlierObjects(present, objects)
    if (!earlier && added.size() < objects.size()) {
        return "has its objects" // and what you deleted of them stays deleted
    }
    if (earlier && !mayReplace(slide)) {
        return "keeps the objects of an earlier run"
    }
    if (earlier) {
        imageData.getHierarchy().removeObjects(earlier, true)
    }
    imageData.getHierarchy().addObjects(placed(added, slide, imageData.getServer()))
    return "${added.size()} objects" + (earlier ? ", ${earlier.size()} of an earlier run removed" : "")
}

def complete = { slide ->
    def entry = obtainEntry(slide)
    def labels = new File(results, "stitch/${slide.slide}/${slide.labels}")
    if (labels.isFile()) {
        entry.getMetadata().put("lds-path labels", labels.getPath())
    }
    def images = isOpen && window != null ? window.getAllViewers()*.getImageData() : []
    def shown = images.find { it != null && project.getEntry(it) == entry }
    def imageData = shown ?: entry.readImageData()
    try {
        if (imageData.getServer() == null) {
            throw new IOException("${slide.file} cannot be opened")
        }
        if (imageData.getImageType() in [null, ImageData.ImageType.UNSET]) {
            imageData.setImageType(imageType(slide))
        }
        if (slide.mpp != null) {
            setPixelSizeMicrons(imageData, slide.mpp, slide.mpp, null)
        }
        def done = addObjects(slide, imageData)
        entry.saveImageData(imageData)
        return done
    } finally {
        if (shown == null) {
            imageData.getServer()?.close()
        }
    }
}

def problems = []
content.slides.each { slide ->
    try {
        println "${slide.slide}: ${complete(slide)}"
    } catch (Exception error) {
        def cause = error
        while (cause.getCause() != null) {
            cause = cause.getCause()
        }
        problems << "${slide.slide}: ${cause.getMessage() ?: cause}"
    }
}
["show_overlay", "import_objects", "show_map"].each {
    project.getScripts().put(it, new File(script.getParentFile(), it + ".groovy").getText("UTF-8"))
}
project.syncChanges()
if (isOpen) {
    window?.refreshProject()
    fireHierarchyUpdate()
}
problems.each { println "Left out, ${it}" }
println isOpen ? "The project is complete${problems ? ' but for these slides' : ''}." : "Open ${file}"


/** Returns the file of a slide's objects: what export wrote, or else the project's own. */
def findObjects(slide, results, home) {
    def places = [new File(results, "export/${slide.slide}"), new File(home, "../export/${slide.slide}"),
                  new File(home, "objects")]
    def found = places.collect { new File(it, slide.objects) }.find { it.isFile() }
    if (found == null) {
        throw new IOException("${slide.objects} is neither in ${places[0]} nor in ${places[2]}")
    }
    return found.getCanonicalFile()
}
@PARTS placing earlier slides_folder script_file@
