/*
 * Opens the ready project on another computer, where the slides lie elsewhere, and prints what
 * make_project then does.
 *
 * Arguments: folder of the project, folder of the slides, width and height of the slides.
 */

import groovy.json.JsonOutput
import org.codehaus.groovy.control.CompilerConfiguration
import org.codehaus.groovy.control.customizers.ImportCustomizer
import qupath.fx.dialogs.Answers
import qupath.lib.gui.scripting.QPEx
import qupath.lib.gui.scripting.QuPathGUI
import qupath.lib.gui.viewer.QuPathViewer
import qupath.lib.images.ImageData
import qupath.lib.objects.classes.PathClass
import qupath.lib.objects.hierarchy.PathObject
import qupath.lib.projects.Project
import qupath.lib.projects.ProjectIO

def home = new File(args[0])
QPEx.width = args[2] as Integer
QPEx.height = args[3] as Integer

def state = { Project project ->
    project.getImageList().collectEntries {
        [it.imageName, [uri: it.uri.toString(), type: it.saved?.imageType?.toString(),
                        ids: it.saved?.hierarchy?.objects*.getID()*.toString()]]
    }
}
def run = { List<String> arguments = null ->
    def configuration = new CompilerConfiguration()
    configuration.addCompilationCustomizers(
            new ImportCustomizer().addStaticStars(QPEx.getName()))
    def script = new File(home, "scripts/make_project.groovy")
    def output = new StringWriter()
    def binding = new Binding(args: arguments, "qupath.script.file": script.getAbsolutePath(),
            out: new PrintWriter(output))
    Answers.asked.clear()
    new GroovyShell(getClass().getClassLoader(), binding, configuration).evaluate(script)
    def project = QPEx.project ?: Project.last
    return [said: output.toString(), asked: new ArrayList(Answers.asked), entries: state(project),
            syncs: project.syncs]
}

def steps = [:]
steps.windowless = run()
steps.arguments = run([home.getPath(), args[1]])
Project.known.clear()

// From here on with a window, and the project open in it.
QPEx.quPath = new QuPathGUI()
QPEx.project = ProjectIO.loadProject(new File(home, "project.qpproj"), null)
Answers.folder = new File(args[1])
Answers.choice = "Brightfield (other"
steps.asked = run()
steps.again = run()

// An earlier run left three objects in the slide that is open: one is unlocked, one is of QuPath.
def entry = QPEx.project.getImageList().find { it.imageName == "b" }
def image = entry.saved
image.hierarchy.objects.remove(0)
image.hierarchy.objects.addAll([
        new PathObject(ID: UUID.fromString("00000000-0000-5000-8000-000000000001"), locked: true),
        new PathObject(ID: UUID.fromString("00000000-0000-5000-8000-000000000002"), locked: false),
        new PathObject(ID: UUID.fromString("00000000-0000-4000-8000-000000000003"), locked: true),
        new PathObject(ID: UUID.fromString("00000000-0000-5000-8000-000000000004"), locked: true,
                pathClass: PathClass.fromString("Region*", 0))])
def shown = new ImageData(server: image.server, hierarchy: image.hierarchy, imageType: image.imageType)
QPEx.quPath.allViewers << new QuPathViewer(imageData: shown)
steps.kept = run()
Answers.yes = true
steps.replaced = run()
steps.live = entry.saved.is(shown)
steps.refreshed = QPEx.quPath.refreshed
println JsonOutput.toJson(steps)
