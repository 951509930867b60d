/*
 * Tells what Bio-Formats reads of image files, as JSON, and writes the pixels it is asked for.
 *
 * groovy -cp bioformats_package.jar bioformats.groovy REQUEST ANSWER
 *
 * REQUEST: [{"path": file, "windows": [[resolution, left, top, width, height, file to write], ...]}]
 * Of a file *.xml it only tells whether it follows the schema of OME-XML.
 */

import groovy.json.JsonOutput
import groovy.json.JsonSlurper
import loci.common.DebugTools
import loci.common.services.ServiceFactory
import loci.formats.FormatTools
import loci.formats.ImageReader
import loci.formats.services.OMEXMLService
import loci.formats.tiff.TiffParser
import ome.units.UNITS

DebugTools.setRootLevel("ERROR")
def service = new ServiceFactory().getInstance(OMEXMLService)
def answers = new JsonSlurper().parse(new File(args[0]), "UTF-8").collect { asked ->
    if (asked.path.endsWith(".xml")) {
        return [valid: service.validateOMEXML(new File(asked.path).getText("UTF-8"))]
    }
    def reader = new ImageReader()
    def metadata = service.createOMEXMLMetadata()
    reader.setMetadataStore(metadata)
    reader.setFlattenedResolutions(false) // as QuPath does
    try {
        reader.setId(asked.path)
        return check(asked.path, service) + describe(reader, metadata, service) + writeWindows(reader, asked.windows)
    } finally {
        reader.close()
    }
}
new File(args[1]).setText(JsonOutput.toJson(answers), "UTF-8")


def check(path, service) {
    def parser = new TiffParser(path)
    def valid = service.validateOMEXML(parser.getComment())
    parser.getStream().close()
    return [valid: valid]
}


def describe(reader, metadata, service) {
    def images = (0..<reader.getSeriesCount()).collect { series ->
        reader.setSeries(series)
        def sizes = (0..<reader.getResolutionCount()).collect { resolution ->
            reader.setResolution(resolution)
            [reader.getSizeX(), reader.getSizeY()]
        }
        reader.setResolution(0)
        def (x, y) = [metadata.getPixelsPhysicalSizeX(series), metadata.getPixelsPhysicalSizeY(series)]
        return [
            name: metadata.getImageName(series),
            description: metadata.getImageDescription(series),
            sizes: sizes,
            tile: [reader.getOptimalTileWidth(), reader.getOptimalTileHeight()],
            pixels: FormatTools.getPixelTypeString(reader.getPixelType()),
            rgb: reader.isRGB(),
            indexed: reader.isIndexed(),
            mpp: [x?.value(UNITS.MICROMETER), y?.value(UNITS.MICROMETER)],
            unit: [x?.unit()?.getSymbol(), y?.unit()?.getSymbol()],
            channels: (0..<metadata.getChannelCount(series)).collect { metadata.getChannelName(series, it) },
        ]
    }
    def annotated = metadata.getRoot().getStructuredAnnotations() != null
    def maps = (0..<(annotated ? metadata.getMapAnnotationCount() : 0)).collectEntries { index ->
        def pairs = metadata.getMapAnnotationValue(index).collectEntries { [it.getName(), it.getValue()] }
        [metadata.getMapAnnotationNamespace(index), pairs]
    }
    // The document that Bio-Formats itself makes of it, null where it cannot.
    return [format: reader.getFormat(), images: images, maps: maps, document: service.getOMEXML(metadata)]
}


def writeWindows(reader, windows) {
    reader.setSeries(0)
    windows.each { resolution, left, top, width, height, path ->
        reader.setResolution(resolution)
        new File(path).bytes = reader.openBytes(0, left, top, width, height)
    }
    return [:]
}
