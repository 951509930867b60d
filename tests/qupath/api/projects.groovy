package qupath.lib.projects

import qupath.lib.images.ImageData
import qupath.lib.objects.classes.PathClass

class ProjectImageEntry {
    String imageName
    Map<String, String> metadata = [:]
    ImageData saved

    ImageData data

    ImageData readImageData() { return data }

    void saveImageData(ImageData imageData) { saved = imageData }
}

class Scripts {
    Map<String, String> contents = [:]

    void put(String name, String resource) { contents[name] = resource }
}

class Project {
    static Project last
    List<PathClass> pathClasses = []
    List<ProjectImageEntry> imageList = []
    Scripts scripts = new Scripts()
    File file

    boolean setPathClasses(Collection<? extends PathClass> classes) {
        pathClasses = classes as List
        return true
    }

    ProjectImageEntry addImage(Object builder) {
        def entry = new ProjectImageEntry(data: new ImageData(server: builder))
        imageList << entry
        return entry
    }

    void syncChanges() { file.text = "project" }
}

class Projects {
    static Project createProject(File file, Class type) {
        Project.last = new Project(file: file)
        return Project.last
    }
}

class ProjectIO {
    static Project loadProject(File file, Class type) { return Project.last }
}
