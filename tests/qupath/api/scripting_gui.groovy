package qupath.lib.gui.scripting

import qupath.lib.gui.viewer.QuPathViewer
import qupath.lib.images.ImageData
import qupath.lib.images.servers.ImageServer
import qupath.lib.objects.hierarchy.PathObjectHierarchy
import qupath.lib.projects.Project
import qupath.lib.projects.ProjectImageEntry

/** The window. */
class QuPathGUI {
    List<QuPathViewer> allViewers = []
    int refreshed

    void refreshProject() { refreshed++ }
}

class QPEx {
    static QuPathViewer viewer
    static ImageServer server
    static ProjectImageEntry entry
    static Project project
    static QuPathGUI quPath // null without a window
    static int width = 1 // of images that are opened
    static int height = 1
    static PathObjectHierarchy hierarchy = new PathObjectHierarchy()

    static QuPathGUI getQuPath() { return quPath }

    static Project getProject() { return project }

    static QuPathViewer getCurrentViewer() { return viewer }

    static ImageServer getCurrentServer() { return server }

    static ProjectImageEntry getProjectEntry() { return entry }

    static PathObjectHierarchy getCurrentHierarchy() { return hierarchy }

    static void fireHierarchyUpdate() {}

    static ImageServer buildServer(String path, String... args) {
        def file = new File(new URI(path))
        if (!file.isFile()) {
            throw new IOException("no image " + file)
        }
        if (file.text == "a broken") {
            throw new IOException("cannot read " + file)
        }
        return new ImageServer(file: file, width: width, height: height)
    }

    static File promptForFile(String... extensions) { return null }

    static boolean setPixelSizeMicrons(
            ImageData imageData, Number width, Number height, Number zSpacing) {
        imageData.mpp = width
        return true
    }
}
