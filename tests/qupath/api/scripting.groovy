package qupath.lib.scripting

class ScriptAttributes {
    public static final String FILE_PATH = "qupath.script.file"
}
