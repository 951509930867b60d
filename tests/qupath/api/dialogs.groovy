package qupath.fx.dialogs

/** Notes what is asked, and answers it. */
class Answers {
    static List<String> asked = []
    static boolean yes
    static String choice
    static File folder
}

class Dialogs {
    static boolean showYesNoDialog(String title, String text) {
        Answers.asked << text
        return Answers.yes
    }

    static <T> T showChoiceDialog(
            String title, String message, Collection<T> choices, T defaultChoice) {
        Answers.asked << message
        return choices.find { it.toString().startsWith(Answers.choice) } ?: defaultChoice
    }
}

class FileChoosers {
    static File promptForDirectory(String title, File initialDir) {
        Answers.asked << title
        return Answers.folder
    }
}
