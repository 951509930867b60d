"use strict";
// Sorts a table by the column whose header is pressed, and filters the rows of the cohort.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    if ("plain" in head.dataset) return;
    const button = document.createElement("button");
    button.type = "button";
    const unit = head.querySelector("small");
    button.append(...[...head.childNodes].filter((node) => node !== unit));
    head.prepend(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const value = (row) => row.cells[column].dataset.value ?? "";
      body.append(...[...body.rows].sort((first, second) => compare(value(first), value(second), down)));
    });
  });
}
function compare(first, second, down) {
  if (first === "" || second === "") return (first === "") - (second === "");
  const difference = Number(first) - Number(second);
  const order = Number.isNaN(difference) ? first.localeCompare(second, "en", { numeric: true }) : difference;
  return down ? -order : order;
}
const tools = document.querySelector(".tools");
if (tools) {
  const rows = [...document.querySelectorAll("#cohort tbody tr")];
  const text = document.getElementById("filter");
  const choices = [...tools.querySelectorAll("select[data-cell]")].map((choice) => [choice.dataset.cell, choice]);
  const show = () => {
    const wanted = text.value.trim().toLowerCase();
    for (const row of rows) {
      const fits = choices.every(([name, choice]) => !choice.value || row.dataset[name] === choice.value);
      row.hidden = !fits || !row.dataset.text.toLowerCase().includes(wanted);
    }
    const count = rows.filter((row) => !row.hidden).length;
    document.getElementById("shown").textContent = count < rows.length ? `${count} of ${rows.length} slides` : "";
  };
  tools.hidden = false;
  for (const control of [text, ...choices.map(([, choice]) => choice)]) control.addEventListener("input", show);
}
