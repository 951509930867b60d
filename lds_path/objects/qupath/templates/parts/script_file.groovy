

/** Returns the file of this script; null if it was pasted and not saved. */
def scriptFile() {
    try {
        def path = getProperty(ScriptAttributes.FILE_PATH)
        return path == null ? null : new File(path as String)
    } catch (MissingPropertyException ignored) {
        return null
    }
}
