package qupath.lib.io

import groovy.json.JsonSlurper
import java.util.zip.GZIPInputStream
import qupath.lib.objects.hierarchy.PathObject

class PathIO {
    static List<PathObject> readObjects(File file) {
        def stream = new GZIPInputStream(new FileInputStream(file))
        return new JsonSlurper().parse(stream).features.collect {
            new PathObject(ID: UUID.fromString(it.id), data: it,
                    locked: it.properties.isLocked)
        }
    }
}
