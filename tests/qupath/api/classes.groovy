package qupath.lib.objects.classes

class PathClass {
    String name
    Integer color
    private static Map<String, PathClass> known = [:]

    String toString() { return name }

    static PathClass fromString(String string, Integer color) {
        return known.computeIfAbsent(string) { new PathClass(name: it, color: color) }
    }
}
