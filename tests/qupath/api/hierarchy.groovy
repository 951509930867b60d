package qupath.lib.objects.hierarchy

class PathObject {
    UUID ID
    Object data
    List<Double> shift = [0d, 0d]
}

class PathObjectHierarchy {
    List<PathObject> objects = []

    Collection<PathObject> getAllObjects(boolean includeRoot) { return objects }

    boolean addObjects(Collection<? extends PathObject> pathObjects) {
        return objects.addAll(pathObjects)
    }
}
