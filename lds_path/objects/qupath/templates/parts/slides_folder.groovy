

/** Returns the files and OME-Zarr folders below a folder to some depth, without those of stages. */
def listFiles(folder, depth) {
    def found = []
    folder?.listFiles()?.sort()?.each {
        if (it.isHidden()) {
            return
        }
        if (it.isFile() || it.getName().endsWith(".zarr")) {
            found << it
        } else if (depth > 0 && !new File(it, "manifest.json").isFile()) {
            found.addAll(listFiles(it, depth - 1))
        }
    }
    return found
}


/** Returns the file of a slide among others by name and size; null if it is none of them. */
def chooseFile(slide, files) {
    def same = files.findAll {
        simplified(it.getName()) == simplified(slide.file) &&
                (slide.bytes == null || slide.bytes == it.length())
    }
    // Of several the one in folders with the same names as those of the original.
    def likeness = same.groupBy { sharedFolders(it.getPath(), slide.path) }
    def best = same ? likeness[likeness.keySet().max()] : []
    if (best.size() > 1) {
        throw new IOException("${best.size()} files have its name and size: ${best.join(', ')}; " +
                "choose a folder with only one of them")
    }
    return best ? best[0] : null
}


/** Returns a name without what differs between file systems: capitals, composed letters. */
def simplified(name) {
    return Normalizer.normalize(name, Normalizer.Form.NFC).toLowerCase(Locale.ROOT)
}


/** Returns how many names two paths have in common, counted from the end. */
def sharedFolders(one, other) {
    def pairs = [one, other].collect { it.replace("\\", "/").split("/").toList().reverse() }.transpose()
    return pairs.takeWhile { simplified(it[0]) == simplified(it[1]) }.size()
}
