package qupath.lib.images

import qupath.lib.images.servers.ImageServer
import qupath.lib.objects.hierarchy.PathObjectHierarchy

class ImageData {
    enum ImageType { BRIGHTFIELD_H_E }

    ImageServer server
    ImageType imageType
    Number mpp
    PathObjectHierarchy hierarchy = new PathObjectHierarchy()
}
