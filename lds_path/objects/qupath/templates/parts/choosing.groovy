

/** Returns the slide that is open: by its name in the project, or else by its file. */
def chooseSlide(slides, server) {
    def entry = getProjectEntry()?.getImageName()
    def files = server.getURIs().collect { new File(it.getPath() ?: "") }
    def named = slides.findAll { it.slide == entry }
            ?: slides.findAll { new File(it.path) in files }
            ?: slides.findAll { it.file in files*.getName() }
    return named.size() == 1 ? named[0] : slides.size() == 1 ? slides[0] : null
}
