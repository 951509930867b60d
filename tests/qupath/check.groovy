/*
 * Runs the scripts for QuPath against the part of its API that they use, and prints what they did.
 *
 * Arguments: folder of the scripts of the cohort, slide that is open, its file, width and height of
 * the scanned part of all slides in pixels, and what the file is wider and higher.
 */

import groovy.json.JsonOutput
import org.codehaus.groovy.control.CompilerConfiguration
import org.codehaus.groovy.control.customizers.ImportCustomizer
import qupath.lib.color.ColorModelFactory
import qupath.lib.gui.scripting.QPEx
import qupath.lib.gui.viewer.QuPathViewer
import qupath.lib.images.servers.ImageServer
import qupath.lib.objects.hierarchy.PathObjectHierarchy
import qupath.lib.projects.Project
import qupath.lib.projects.ProjectImageEntry

def (folder, slide, file) = args as List
def (width, height, wider, higher) = args[3..6].collect { it as Integer }
QPEx.width = width
QPEx.height = height

def run = { String name, List<String> arguments = null ->
    def configuration = new CompilerConfiguration()
    configuration.addCompilationCustomizers(
            new ImportCustomizer().addStaticStars(QPEx.getName()))
    def script = new File(folder, name + ".groovy")
    def binding = new Binding(args: arguments, "qupath.script.file": script.getAbsolutePath())
    def output = new StringWriter()
    binding.setVariable("out", new PrintWriter(output))
    new GroovyShell(getClass().getClassLoader(), binding, configuration).evaluate(script)
    return output.toString()
}

def said = [run("make_project"), run("make_project")]
def project = Project.last
QPEx.entry = project.getImageList().find { it.getImageName() == slide }
QPEx.viewer = new QuPathViewer()
QPEx.server = new ImageServer(
        file: new File(file), width: width, height: height)
said << run("show_overlay")
said << run("import_objects")
said << run("import_objects")
def overlay = QPEx.viewer.overlay
def imported = QPEx.hierarchy.objects.size()

def maps = [null, ["density"]].collect { arguments ->
    said << run("show_map", arguments)
    def map = QPEx.viewer.overlay
    def server = map.function.apply(null)
    def colors = new int[256]
    map.renderer.colorModel.getRGBs(colors)
    return [file: server.file.path, width: server.width, height: server.height, live: map.live,
            alphas: [0, 1, 255].collect { (colors[it] >> 24) & 0xff },
            first: colors[1] & 0xffffff, last: colors[255] & 0xffffff]
}

/** Where the objects of a slide lie in an image of some size. */
def shifts = { ProjectImageEntry entry, int wide, int high ->
    QPEx.entry = entry
    QPEx.server = new ImageServer(file: new File(entry.uri), width: wide, height: high)
    QPEx.hierarchy = new PathObjectHierarchy()
    run("import_objects")
    return QPEx.hierarchy.objects*.shift.unique()
}
println JsonOutput.toJson([
        said: said,
        entries: project.getImageList().collect {
            [name: it.imageName, labels: it.metadata["lds-path labels"], mpp: it.saved.mpp,
             objects: it.saved.hierarchy.objects.size()]
        },
        classes: project.pathClasses.collect { [it.name, it.color] },
        scripts: project.scripts.contents.keySet(),
        project: project.file.path,
        overlay: overlay.function.apply(null).file.path,
        live: overlay.live && QPEx.viewer.overlayOptions.showPixelClassification,
        colors: ColorModelFactory.last.collectEntries { value, it -> [value, it?.name] },
        imported: imported,
        maps: maps,
        projected: project.getImageList().collect { it.saved.hierarchy.objects*.shift.unique() },
        cropped: project.getImageList().collect { shifts(it, width, height) },
        whole: project.getImageList().collect { shifts(it, width + wider, height + higher) },
])
