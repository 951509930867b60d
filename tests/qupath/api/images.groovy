package qupath.lib.images

import qupath.lib.images.servers.ImageServer
import qupath.lib.objects.hierarchy.PathObjectHierarchy

class ImageData {
    enum ImageType { BRIGHTFIELD_H_DAB, BRIGHTFIELD_H_E, BRIGHTFIELD_OTHER, FLUORESCENCE, OTHER, UNSET }

    ImageServer server
    ImageType imageType = ImageType.UNSET
    Number mpp
    PathObjectHierarchy hierarchy = new PathObjectHierarchy()
}
