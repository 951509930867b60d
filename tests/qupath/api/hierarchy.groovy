package qupath.lib.objects.hierarchy

import qupath.lib.objects.classes.PathClass

class PathObject {
    UUID ID
    Object data
    List<Double> shift = [0d, 0d]
    boolean locked
    PathClass pathClass
}

class PathObjectHierarchy {
    List<PathObject> objects = []

    Collection<PathObject> getAllObjects(boolean includeRoot) { return objects }

    boolean addObjects(Collection<? extends PathObject> pathObjects) {
        return objects.addAll(pathObjects)
    }

    void removeObjects(Collection<? extends PathObject> pathObjects, boolean keepChildren) {
        objects.removeAll(pathObjects)
    }
}
