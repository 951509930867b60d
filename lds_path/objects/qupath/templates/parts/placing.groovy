

/** Returns the objects where the open image has them: it begins at the bounds or at the file's corner. */
def placed(objects, slide, server) {
    def left = (slide.frame == "level0" ? -slide.left_l0 : 0) + (isWhole(slide, server) ? slide.left_l0 : 0)
    def top = (slide.frame == "level0" ? -slide.top_l0 : 0) + (isWhole(slide, server) ? slide.top_l0 : 0)
    if (left == 0 && top == 0) {
        return objects
    }
    def shift = AffineTransform.getTranslateInstance(left, top)
    return objects.collect { PathObjectTools.transformObject(it, shift, true, false) }
}


/** Says whether the open image reaches beyond the scanned part: opened uncropped, or not with OpenSlide. */
def isWhole(slide, server) {
    def tolerance = 2 * slide.downsample
    return server.getWidth() > slide.width_l0 + tolerance || server.getHeight() > slide.height_l0 + tolerance
}
