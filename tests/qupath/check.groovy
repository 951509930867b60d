/*
 * Runs the scripts for QuPath against the part of its API that they use, and prints what they did.
 *
 * Arguments: folder of the scripts of the cohort, slide that is open, its file, its width and
 * height in pixels.
 */

import groovy.json.JsonOutput
import org.codehaus.groovy.control.CompilerConfiguration
import org.codehaus.groovy.control.customizers.ImportCustomizer
import qupath.lib.color.ColorModelFactory
import qupath.lib.gui.scripting.QPEx
import qupath.lib.gui.viewer.QuPathViewer
import qupath.lib.images.servers.ImageServer
import qupath.lib.projects.Project

def (folder, slide, file, width, height) = args as List

def run = { String name ->
    def configuration = new CompilerConfiguration()
    configuration.addCompilationCustomizers(
            new ImportCustomizer().addStaticStars(QPEx.getName()))
    def script = new File(folder, name + ".groovy")
    def binding = new Binding(args: null, "qupath.script.file": script.getAbsolutePath())
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
        file: new File(file), width: width as Integer, height: height as Integer)
said << run("show_overlay")
said << run("import_objects")
said << run("import_objects")
def overlay = QPEx.viewer.overlay
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
        imported: QPEx.hierarchy.objects.size(),
])
