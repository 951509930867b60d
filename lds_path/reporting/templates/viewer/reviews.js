"use strict";
// What somebody notes of a slide. Served by lds-path view it goes into reviews.tsv of the results; from a
// folder it stays in this browser, and can be saved as such a table.
(async () => {
  const forms = [...document.querySelectorAll("form[data-slide]")];
  const root = new URL("..", document.currentScript.src);
  const served = window.ldsPathView;
  const key = `lds-path reviews ${root.pathname}`;
  const COLUMNS = ["slide", "reviewed", "remark", "result", "noted"];

  let reviews = {};
  const load = async () => {
    if (served) return (await fetch(`${served}reviews`)).json();
    try {
      return JSON.parse(localStorage.getItem(key)) ?? {};
    } catch {
      return {}; // a browser may keep nothing for files
    }
  };
  const keep = async (review) => {
    reviews[review.slide] = { ...review, noted: `${new Date().toISOString().slice(0, 19)}+00:00` };
    if (!served) {
      try {
        localStorage.setItem(key, JSON.stringify(reviews));
      } catch {
        return "not kept by this browser: save the table before you leave";
      }
      return "kept in this browser";
    }
    const answer = await fetch(`${served}reviews`, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(review),
    });
    if (!answer.ok) return (await answer.text()).trim();
    reviews = await answer.json();
    return "saved";
  };

  const show = () => {
    for (const form of forms) {
      const review = reviews[form.dataset.slide];
      if (!review) continue;
      form.elements.reviewed.checked = review.reviewed;
      form.elements.remark.value = review.remark;
      const old = review.reviewed && review.result && review.result !== form.dataset.result;
      form.querySelector("output").value = old ? "an earlier result was reviewed" : "";
    }
    count();
  };
  const count = () => {
    const line = document.getElementById("reviewed");
    const done = forms.filter((form) => form.elements.reviewed.checked).length;
    if (line) line.textContent = `${done} of ${forms.length} reviewed`;
  };

  const cell = (value) => {
    const text = String(value ?? "").replace(/\s+/g, " ").trim();
    return /^[=+\-@]/.test(text) ? `'${text}` : text; // no spreadsheet runs it
  };
  const table = () => {
    const rows = Object.values(reviews).map((review) => ({ ...review, reviewed: review.reviewed ? "yes" : "no" }));
    return [COLUMNS, ...rows.map((row) => COLUMNS.map((name) => cell(row[name])))].map((row) => row.join("\t")).join("\n") + "\n";
  };

  for (const form of forms) {
    form.hidden = false;
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("change", async () => {
      const { slide, result } = form.dataset;
      const { reviewed, remark } = form.elements;
      count();
      const review = { slide, reviewed: reviewed.checked, remark: remark.value, result };
      form.querySelector("output").value = await keep(review).catch(() => "not saved: lds-path view has ended");
    });
  }
  const tools = document.querySelector(".review-tools");
  if (tools) {
    tools.hidden = false;
    document.getElementById("reviews-tsv").addEventListener("click", () => {
      const address = URL.createObjectURL(new Blob([table()], { type: "text/tab-separated-values" }));
      Object.assign(document.createElement("a"), { href: address, download: "reviews.tsv" }).click();
      setTimeout(() => URL.revokeObjectURL(address), 10_000);
    });
    // The pictures follow the filter of the table.
    const cards = new Map([...document.querySelectorAll(".sheet li")].map((card) => [card.dataset.slide, card]));
    for (const row of document.querySelectorAll("#cohort tbody tr")) {
      const card = cards.get(row.querySelector("th").dataset.value);
      if (card) new MutationObserver(() => (card.hidden = row.hidden)).observe(row, { attributeFilter: ["hidden"] });
    }
  }
  reviews = await load().catch(() => ({}));
  show();

  // n and p: the next and the previous slide.
  addEventListener("keydown", (event) => {
    if (event.target.matches("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
    const link = { n: "next", p: "prev" }[event.key];
    if (link) document.querySelector(`a[rel=${link}]`)?.click();
  });
})();
