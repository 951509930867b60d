"use strict";
// Two slides side by side; moved together, the distance from where they were stays the same on both.
(() => {
  const { describe, open } = window.ldsPathZoom;
  const sections = [...document.querySelectorAll("section.zoom")];
  const together = document.getElementById("together");
  const sides = sections.map((section) => ({ section, opened: null, start: null }));
  let leader = sides[0];

  const chosen = new URLSearchParams(location.hash.slice(1));

  async function choose(side) {
    const { section } = side;
    const select = section.querySelector("select");
    const option = select.selectedOptions[0];
    section.dataset.slide = select.value;
    section.dataset.zoom = option.dataset.zoom;
    section.querySelector("a").href = option.dataset.page;
    side.opened?.viewer.destroy();
    side.opened = null;
    section.querySelector(".zoom-frame")?.remove();
    const zoom = await describe(section);
    section.querySelector(".zoom-none").hidden = Boolean(zoom);
    if (!zoom) return;
    side.opened = await open(section, zoom);
    section.viewer = side.opened.viewer;
    side.opened.viewer.addHandler("update-viewport", () => lead(side));
    if (together.checked && sides.every((one) => one.opened)) matchScales();
    remember();
  }

  // Both begin at the magnification at which the larger slide is seen as a whole.
  function matchScales() {
    const mpp = Math.max(...sides.map((side) => state(side).mpp));
    for (const { opened: { viewer } } of sides) {
      viewer.viewport.zoomTo(1 / (mpp * viewer.viewport.getContainerSize().x), null, true);
    }
  }

  const state = ({ opened: { viewer } }) => ({
    centre: viewer.viewport.getCenter(true),
    mpp: viewer.viewport.getBounds(true).width / viewer.viewport.getContainerSize().x,
  });

  function remember() {
    for (const side of sides) side.start = side.opened && state(side);
  }

  function lead(side) {
    const [other] = sides.filter((one) => one !== side);
    if (!together.checked || side !== leader || !side.start || !other.start) return;
    const now = state(side);
    const { viewport } = other.opened.viewer;
    const moved = now.centre.minus(side.start.centre);
    const factor = side.start.mpp / now.mpp;
    viewport.zoomTo(factor / (other.start.mpp * viewport.getContainerSize().x), null, true);
    viewport.panTo(other.start.centre.plus(moved), true);
  }

  for (const side of sides) {
    const select = side.section.querySelector("select");
    const wanted = chosen.get(side.section.id);
    if ([...select.options].some((option) => option.value === wanted)) select.value = wanted;
    side.section.hidden = false;
    for (const kind of ["pointerdown", "wheel", "keydown"]) {
      const follow = () => {
        if (leader === side) return;
        leader = side;
        remember();
      };
      side.section.addEventListener(kind, follow, { capture: true, passive: true });
    }
    select.addEventListener("change", () => {
      choose(side);
      const ids = sides.map(({ section }) => [section.id, section.querySelector("select").value]);
      history.replaceState(null, "", `#${new URLSearchParams(ids)}`);
    });
    choose(side);
  }
  together.addEventListener("change", () => {
    if (together.checked && sides.every((one) => one.opened)) matchScales();
    remember();
  });
})();
