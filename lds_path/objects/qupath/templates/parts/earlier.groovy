

/**
 * Returns the objects of an earlier run of lds-path among those of an image.
 *
 * Their ids are made from their outlines (UUID version 5), QuPath's own at random. What somebody
 * has unlocked counts as theirs, and so does everything of the class Region*.
 */
def earlierObjects(present, objects) {
    def current = objects*.getID() as Set
    return present.findAll {
        it.getID().version() == 5 && it.isLocked() && !(it.getID() in current) &&
                it.getPathClass()?.toString() != "Region*"
    }
}
