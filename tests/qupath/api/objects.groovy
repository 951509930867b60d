package qupath.lib.objects

import java.awt.geom.AffineTransform
import qupath.lib.objects.hierarchy.PathObject

class PathObjectTools {
    static PathObject transformObject(PathObject pathObject, AffineTransform transform,
            boolean copyMeasurements, boolean createNewIDs) {
        return new PathObject(
                ID: createNewIDs ? UUID.randomUUID() : pathObject.getID(),
                data: pathObject.data, locked: pathObject.locked, pathClass: pathObject.pathClass,
                shift: [transform.getTranslateX(), transform.getTranslateY()])
    }
}
