"use strict";
// The viewer of a slide's page: the link names the place, and a press on a crop goes there.
(async () => {
  const section = document.getElementById("viewer");
  const zoom = section && (await window.ldsPathZoom.describe(section));
  if (!zoom) return;
  section.hidden = false;
  const opened = await window.ldsPathZoom.open(section, zoom);
  section.viewer = opened.viewer;
  const say = (textContent) => window.ldsPathZoom.add(opened.side, "p", { className: "soft", textContent });
  say("The address of this page names the place: copy it to show others what you see.");
  if (!window.ldsPathView && zoom.mpp > 1.2 * zoom.slide_mpp) {
    const [here, slide] = [zoom.mpp, zoom.slide_mpp].map((mpp) => Number(mpp.toPrecision(2)));
    say(`The finest level here has ${here} µm per pixel; lds-path view shows the ${slide} µm of the slide.`);
  }

  const PLACE = /^#at=(-?[\d.]+),(-?[\d.]+),([\d.]+)$/;
  let own = "";
  const follow = (immediately) => {
    const found = PLACE.exec(location.hash);
    if (!found || location.hash === own) return;
    opened.goTo(found.slice(1).map(Number), immediately);
    section.scrollIntoView({ block: "nearest" });
  };
  const write = () => {
    own = `#at=${opened.place().join()}`;
    if (location.hash !== own) history.replaceState(null, "", own);
  };
  follow(true);
  document.getElementById(location.hash.slice(1))?.scrollIntoView(); // the viewer has moved it down
  addEventListener("hashchange", () => follow(false));
  let touched = false; // the address stays plain until somebody moves the view
  for (const kind of ["pointerdown", "wheel", "keydown"]) {
    section.addEventListener(kind, () => (touched = true), { capture: true, passive: true });
  }
  opened.viewer.addHandler("animation-finish", () => touched && write());
  for (const crop of document.querySelectorAll("figure[data-x]")) {
    const { x, y, mpp } = crop.dataset;
    for (const link of crop.querySelectorAll("a")) {
      link.title = "Show this place on the slide";
      link.href = `#at=${x},${y},${mpp}`;
      link.addEventListener("click", (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return; // into another tab
        event.preventDefault();
        touched = true;
        opened.goTo([x, y, mpp].map(Number));
        section.scrollIntoView({ block: "nearest" });
      });
    }
  }
})();
