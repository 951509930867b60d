"""One module for each way to read a slide; `slides.slide.READERS` lists them."""
