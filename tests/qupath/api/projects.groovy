package qupath.lib.projects

import groovy.json.JsonSlurper
import java.nio.file.Path
import qupath.lib.gui.scripting.QPEx
import qupath.lib.images.ImageData
import qupath.lib.objects.classes.PathClass

class ProjectImageEntry {
    String imageName
    Map<String, String> metadata = [:]
    URI uri
    ImageData saved

    String getOriginalImageName() { return imageName }

    Collection<URI> getURIs() { return [uri] }

    boolean updateURIs(Map<URI, URI> replacements) {
        def before = uri
        uri = replacements.getOrDefault(uri, uri)
        return uri != before
    }

    /** As QuPath does: what was saved, or else the image without objects. */
    ImageData readImageData() {
        def server = QPEx.buildServer(uri.toString())
        return saved ?: new ImageData(server: server)
    }

    void saveImageData(ImageData imageData) { saved = imageData }
}

class Scripts {
    Map<String, String> contents = [:]

    void put(String name, String resource) { contents[name] = resource }
}

class Project {
    static Map<File, Project> known = [:]
    static Project last
    List<PathClass> pathClasses = []
    List<ProjectImageEntry> imageList = []
    Scripts scripts = new Scripts()
    File file
    int syncs

    Path getPath() { return file.toPath() }

    boolean setPathClasses(Collection<? extends PathClass> classes) {
        pathClasses = classes as List
        return true
    }

    ProjectImageEntry addImage(Object builder) {
        def entry = new ProjectImageEntry(uri: builder.file.toURI())
        imageList << entry
        return entry
    }

    ProjectImageEntry getEntry(ImageData imageData) {
        return imageList.find { it.uri == imageData.server.file.toURI() }
    }

    void syncChanges() { syncs++ }
}

class Projects {
    static Project createProject(File file, Class type) { return ProjectIO.remember(file, []) }
}

class ProjectIO {
    static Project loadProject(File file, Class type) {
        if (Project.known[file] == null) {
            remember(file, new JsonSlurper().parse(file).images.collect {
                new ProjectImageEntry(imageName: it.imageName, uri: new URI(it.serverBuilder.uri),
                        metadata: new LinkedHashMap(it.metadata))
            })
        }
        Project.last = Project.known[file]
        return Project.last
    }

    static Project remember(File file, List<ProjectImageEntry> entries) {
        Project.last = new Project(file: file, imageList: entries)
        Project.known[file] = Project.last
        return Project.last
    }
}
