/*
 * Makes a QuPath project of all slides of the cohort, with their classes and objects.
 *
 * Needs QuPath 0.6 or newer. Open this file in the script editor (Automate > Script editor, then
 * File > Open) and choose Run, or, without a window:
 *
 *     QuPath script make_project.groovy --args FOLDER
 *
 * The project is made in FOLDER, or in the folder `qupath` beside the results of the stages; no run
 * of lds-path writes there. Slides that it holds already are left as they are. Afterwards open its
 * project.qpproj; `show_overlay`, `show_map` and `import_objects` are then under Automate >
 * Project scripts.
 */

import groovy.json.JsonSlurper
import java.awt.geom.AffineTransform
import java.awt.image.BufferedImage
import qupath.lib.common.ColorTools
import qupath.lib.images.ImageData
import qupath.lib.io.PathIO
import qupath.lib.objects.PathObjectTools
import qupath.lib.objects.classes.PathClass
import qupath.lib.projects.ProjectIO
import qupath.lib.projects.Projects
import qupath.lib.scripting.ScriptAttributes

def content = new JsonSlurper().parseText('''@CONTENT@''')

def folder = new File(getProperty(ScriptAttributes.FILE_PATH) as String)
        .getAbsoluteFile().getParentFile()
def results = new File(folder, "../..").getCanonicalFile()
def home = args ? new File(args[0]) : new File(results, "qupath")
home.mkdirs()
def file = new File(home, "project.qpproj")
def project = file.isFile()
        ? ProjectIO.loadProject(file, BufferedImage)
        : Projects.createProject(file, BufferedImage)

def classes = new LinkedHashSet(project.getPathClasses())
content.classes.each {
    def color = ColorTools.packRGB(*it.color)
    def pathClass = PathClass.fromString(it.name, color)
    pathClass.setColor(color)
    classes << pathClass
}
project.setPathClasses(classes)

def names = project.getImageList().collect { it.getImageName() } as Set
content.slides.findAll { !(it.slide in names) }.each { slide ->
    def image = new File(slide.path)
    if (!image.isFile()) {
        println "${slide.slide} is left out: ${image} does not exist."
        return
    }
    def server = buildServer(image.toURI().toString())
    def entry = project.addImage(server.getBuilder())
    entry.setImageName(slide.slide)
    entry.getMetadata().put("lds-path labels", find(results, "stitch", slide.slide, slide.labels))
    def imageData = entry.readImageData()
    imageData.setImageType(ImageData.ImageType.BRIGHTFIELD_H_E)
    if (slide.mpp != null) {
        setPixelSizeMicrons(imageData, slide.mpp, slide.mpp, null)
    }
    def objects = PathIO.readObjects(
            new File(find(results, "export", slide.slide, slide.objects)))
    imageData.getHierarchy().addObjects(placed(objects, slide, server))
    entry.saveImageData(imageData)
    imageData.getServer().close()
    server.close()
    println "${slide.slide}: ${objects.size()} objects"
}
["show_overlay", "import_objects", "show_map"].each {
    project.getScripts().put(it, new File(folder, it + ".groovy").getText("UTF-8"))
}
project.syncChanges()
println "Open ${file}"


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


def find(results, stage, slide, name) {
    return new File(results, "${stage}/${slide}/${name}").getPath()
}
