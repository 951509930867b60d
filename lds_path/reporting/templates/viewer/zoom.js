"use strict";
// The viewer: tiles of a slide with layers over it, by OpenSeadragon. Lengths in it are microns from the
// corner of the slide; positions in links are pixels of the slide's finest level, as QuPath counts them.
window.ldsPathZoom = (() => {
  const LEVEL_SCREEN_PIXELS = 4; // of a pixel of the finest level, at most
  const BAR_PIXELS = 140;

  function add(parent, tag, properties = {}, attributes = {}) {
    const node = Object.assign(document.createElement(tag), properties);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    parent.append(node);
    return node;
  }

  // Levels of OpenSeadragon count from the coarsest, files from the finest.
  function tileSource(layer, tile) {
    const levels = layer.levels.map((level) => ({ ...level, known: level.tiles && bits(level.tiles) }));
    const [finest] = levels;
    const single = !finest.tiles;
    const [tileWidth, tileHeight] = single ? [finest.width, finest.height] : [tile, tile];
    const source = new OpenSeadragon.TileSource({
      width: finest.width, height: finest.height, tileWidth, tileHeight, tileOverlap: 0,
      minLevel: 0, maxLevel: levels.length - 1,
    });
    const numbered = (level) => levels.length - 1 - level;
    const suffix = layer.query ?? "";
    source.getTileUrl = (level, x, y) =>
      single ? layer.path : `${layer.path}/${numbered(level)}/${x}_${y}.${layer.ending}${suffix}`;
    source.tileExists = (level, x, y) => {
      const known = levels[numbered(level)]?.known;
      const index = y * Math.ceil(levels[numbered(level)]?.width / tileWidth) + x;
      return x >= 0 && y >= 0 && (single || Boolean(known[index >> 3] & (128 >> (index & 7))));
    };
    // A level is rounded up to whole pixels, of which the last may reach beyond the slide.
    source.getTileBounds = (level, x, y, inFile) => {
      const { width, height } = levels[numbered(level)];
      const [left, top] = [x * tileWidth, y * tileHeight];
      const [across, down] = [Math.min(tileWidth, width - left), Math.min(tileHeight, height - top)];
      if (inFile) return new OpenSeadragon.Rect(0, 0, across, down);
      const scale = 2 ** numbered(level) / finest.width;
      return new OpenSeadragon.Rect(left * scale, top * scale, across * scale, down * scale);
    };
    return source;
  }

  function bits(text) {
    return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  }

  function openViewer(stage, zoom) {
    const viewer = OpenSeadragon({
      element: stage,
      drawer: "canvas", // pictures of a page without a server must not be read back, as WebGL does
      showNavigationControl: false,
      showNavigator: stage.clientWidth > 500,
      navigatorPosition: "TOP_RIGHT",
      navigatorSizeRatio: 0.18,
      navigatorAutoFade: false,
      navigatorBackground: "#fff",
      navigatorOpacity: 1,
      maxZoomPixelRatio: LEVEL_SCREEN_PIXELS,
      minZoomImageRatio: 0.8,
      visibilityRatio: 0.3,
      animationTime: matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 0.4,
      gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true },
    });
    viewer.canvas.setAttribute("role", "application");
    viewer.canvas.setAttribute(
      "aria-label",
      `Slide ${zoom.slide}. Arrow keys move, plus and minus zoom, 0 shows all of it, numbers switch layers.`,
    );
    return viewer;
  }

  // Returns layer name -> image, in which opacities are set.
  function addLayers(viewer, zoom) {
    const opened = zoom.layers.map((layer) => new Promise((resolve) => {
      viewer.addTiledImage({
        tileSource: tileSource(layer, zoom.tile),
        x: 0, y: 0, width: layer.levels[0].width * layer.mpp,
        opacity: layer.shown ? layer.opacity : 0,
        index: zoom.layers.indexOf(layer),
        success: ({ item }) => resolve([layer.name, item]),
      });
    }));
    return Promise.all(opened).then(Object.fromEntries);
  }

  function layerControls(parent, zoom, images) {
    const boxes = [];
    for (const layer of zoom.layers.slice(1)) {
      const group = add(parent, "div", { className: "zoom-layer" }, { "data-layer": layer.name });
      const label = add(group, "label");
      const box = add(label, "input", { type: "checkbox", checked: layer.shown });
      label.append(layer.title);
      const slider = add(group, "input", { type: "range", min: 0, max: 100, value: 100 * layer.opacity },
        { "aria-label": `Opacity of ${layer.title}` });
      const legend = drawLegend(group, layer);
      const show = () => {
        images[layer.name].setOpacity(box.checked ? slider.value / 100 : 0);
        slider.hidden = legend.hidden = !box.checked;
      };
      box.addEventListener("input", show);
      slider.addEventListener("input", show);
      show();
      boxes.push(box);
    }
    return boxes;
  }

  function drawLegend(group, layer) {
    if (!layer.scale) {
      const list = add(group, "ul", { className: "legend" });
      for (const { name, colour } of layer.classes) {
        const item = add(list, "li");
        add(item, "span", { className: "swatch" }).style.background = colour;
        item.append(name);
      }
      return list;
    }
    const scale = add(group, "div", { className: "zoom-scale" });
    add(scale, "span").style.background = `linear-gradient(to right, ${layer.scale.colours.join()})`;
    add(scale, "small", { textContent: layer.scale.low });
    add(scale, "small", { textContent: layer.scale.high });
    return scale;
  }

  function buttons(stage, viewer, section) {
    const bar = add(stage, "div", { className: "zoom-buttons" });
    const zoomBy = (factor) => () => viewer.viewport.zoomBy(factor).applyConstraints();
    const known = [["+", "Zoom in", zoomBy(2)], ["−", "Zoom out", zoomBy(0.5)], ["⌂", "Whole slide", () => viewer.viewport.goHome()]];
    if (document.fullscreenEnabled) {
      known.push(["[ ]", "Full screen", () => (document.fullscreenElement ? document.exitFullscreen() : section.requestFullscreen())]);
    }
    for (const [sign, name, press] of known) {
      add(bar, "button", { type: "button", textContent: sign, title: name }, { "aria-label": name }).addEventListener("click", press);
    }
  }

  const roundTo = (number, digits) => Number(number.toPrecision(digits));

  // Microns of the slide per pixel of the screen.
  function screenMpp(viewer) {
    return viewer.viewport.getBounds(true).width / viewer.viewport.getContainerSize().x;
  }

  function scaleBar(stage, viewer) {
    const bar = add(stage, "div", { className: "zoom-bar" });
    const draw = () => {
      const mpp = screenMpp(viewer);
      const longest = BAR_PIXELS * mpp;
      const power = 10 ** Math.floor(Math.log10(longest));
      const length = [5, 2, 1].map((step) => step * power).find((step) => step <= longest);
      bar.style.width = `${length / mpp}px`;
      bar.textContent = length < 1000 ? `${roundTo(length, 1)} µm` : `${roundTo(length / 1000, 1)} mm`;
    };
    viewer.addHandler("update-viewport", draw);
    draw();
  }

  // Where the middle of the view lies: x, y in level-0 pixels and microns per screen pixel.
  function placeOf(viewer, zoom) {
    const middle = viewer.viewport.getCenter(false);
    const bounds = viewer.viewport.getBounds(false);
    const mpp = bounds.width / viewer.viewport.getContainerSize().x;
    return [Math.round(middle.x / zoom.slide_mpp), Math.round(middle.y / zoom.slide_mpp), roundTo(mpp, 3)];
  }

  function goTo(viewer, zoom, [x, y, mpp], immediately = false) {
    const { viewport } = viewer;
    viewport.zoomTo(1 / (viewport.getContainerSize().x * mpp), null, immediately);
    viewport.panTo(new OpenSeadragon.Point(x * zoom.slide_mpp, y * zoom.slide_mpp), immediately);
    viewport.applyConstraints(immediately);
  }

  function placeLine(parent, viewer, zoom) {
    const line = add(parent, "p", { className: "soft zoom-place" });
    const show = (x, y) => {
      line.textContent = `${x}, ${y} · ${roundTo(screenMpp(viewer), 2)} µm per pixel of the screen`;
    };
    viewer.addHandler("update-viewport", () => show(...placeOf(viewer, zoom)));
    new OpenSeadragon.MouseTracker({
      element: viewer.canvas,
      moveHandler: ({ position }) => {
        const point = viewer.viewport.pointFromPixel(position, true);
        show(Math.floor(point.x / zoom.slide_mpp), Math.floor(point.y / zoom.slide_mpp));
      },
    });
  }

  // Builds the viewer of a slide in an element and resolves to it, with `goTo` and `place`.
  async function open(section, zoom) {
    const frame = add(section, "div", { className: "zoom-frame" });
    const stage = add(frame, "div", { className: "zoom-stage" });
    stage.style.background = `rgb(${zoom.glass}, ${zoom.glass}, ${zoom.glass})`;
    const viewer = openViewer(stage, zoom);
    const side = add(frame, "div", { className: "zoom-side" });
    const images = await addLayers(viewer, zoom);
    viewer.viewport.goHome(true);
    const boxes = layerControls(side, zoom, images);
    buttons(stage, viewer, section);
    scaleBar(stage, viewer);
    placeLine(side, viewer, zoom);
    stage.addEventListener("keydown", (event) => {
      if (!event.ctrlKey && !event.metaKey && !event.altKey) boxes[Number(event.key) - 1]?.click();
    });
    return {
      viewer,
      side,
      place: () => placeOf(viewer, zoom),
      goTo: (place, immediately) => goTo(viewer, zoom, place, immediately),
    };
  }

  // What `lds-path view` serves is finer than what the page has.
  async function describe(section) {
    const served = window.ldsPathView;
    if (served) {
      const answer = await fetch(`${served}zoom/${encodeURIComponent(section.dataset.slide)}.json`);
      if (answer.ok) return answer.json();
    }
    return section.dataset.zoom ? JSON.parse(section.dataset.zoom) : null;
  }

  return { add, describe, open };
})();
