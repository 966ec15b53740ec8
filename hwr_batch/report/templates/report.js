"use strict";
(() => {
  const table = document.getElementById("lines-table");
  const find = document.getElementById("find");
  const group = document.getElementById("group");
  const shown = document.getElementById("shown");
  const openAll = document.getElementById("open-all");
  const bodies = () => [...table.tBodies];

  function setOpen(body, open) {
    body.querySelector(".open").setAttribute("aria-expanded", String(open));
    body.querySelector(".details").hidden = !open;
  }

  function isOpen(body) {
    return body.querySelector(".open").getAttribute("aria-expanded") === "true";
  }

  function valueOf(body, column, numeric) {
    const value = body.rows[0].cells[column].dataset.v;
    return numeric ? Number(value) : value;
  }

  function sortBy(header) {
    const column = header.cellIndex;
    const numeric = header.dataset.sort === "number";
    const falling = header.getAttribute("aria-sort") === "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", falling ? "descending" : "ascending");
    const words = new Intl.Collator(undefined, { numeric: true });
    const compare = numeric ? (a, b) => a - b : words.compare;
    const ordered = bodies()
      .map((body, at) => ({ body, at, value: valueOf(body, column, numeric) }))
      .sort((a, b) => (falling ? -1 : 1) * compare(a.value, b.value) || a.at - b.at);
    table.append(...ordered.map((entry) => entry.body));
  }

  function filter() {
    const wanted = find.value.trim().toLocaleLowerCase();
    let count = 0;
    for (const body of bodies()) {
      const inGroup = !group.value || body.dataset.groups.split("|").includes(group.value);
      const matches = inGroup && body.searched.includes(wanted);
      body.hidden = !matches;
      count += matches;
    }
    shown.value = `${count} of ${bodies().length} lines`;
  }

  for (const body of bodies()) {
    const texts = [...body.querySelectorAll(".text, .id")].map((element) => element.textContent);
    body.searched = texts.join("\n").toLocaleLowerCase();
    setOpen(body, false);
  }
  table.addEventListener("click", (event) => {
    const header = event.target.closest("thead th");
    if (header) return sortBy(header);
    const body = event.target.closest("tr.line")?.parentElement;
    if (body && (event.target.closest(".open") || event.target.closest("img"))) setOpen(body, !isOpen(body));
  });
  openAll.addEventListener("click", () => {
    const open = openAll.getAttribute("aria-pressed") !== "true";
    openAll.setAttribute("aria-pressed", String(open));
    openAll.textContent = open ? "Close all" : "Open all";
    bodies().forEach((body) => setOpen(body, open));
  });
  find.addEventListener("input", filter);
  group.addEventListener("change", filter);
  find.form.addEventListener("submit", (event) => event.preventDefault());
  document.documentElement.classList.add("js");
  filter();
})();
