package qupath.lib.images.servers

import java.awt.geom.AffineTransform

class ImageServer {
    File file
    int width
    int height

    Collection<URI> getURIs() { return [file.toURI()] }

    Object getBuilder() { return this }

    void close() {}
}

class TransformedServerBuilder {
    ImageServer server

    TransformedServerBuilder(ImageServer baseServer) { server = baseServer }

    TransformedServerBuilder transform(AffineTransform transform) {
        def scaled = { int side -> (int) Math.round(side * transform.getScaleX()) }
        server = new ImageServer(
                file: server.file, width: scaled(server.width), height: scaled(server.height))
        return this
    }

    ImageServer build() { return server }
}
