"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const press = (buttons, chosen) => buttons.forEach((b) => b.setAttribute("aria-pressed", String(chosen(b))));
  const show = (article, index) => {
    article.dataset.window = index;
    press(all(".windows button", article), (b) => b.dataset.window === index);
  };
  const articles = all("article.case");

  articles.forEach((article) => all(".windows button", article).forEach((button) =>
    button.addEventListener("click", () => show(article, button.dataset.window))));

  all("[data-window-all]").forEach((button) => button.addEventListener("click", () => {
    articles.filter((a) => a.dataset.set === button.dataset.set).forEach((a) => show(a, button.dataset.windowAll));
    press(all("button", button.parentElement), (b) => b === button);
  }));

  all("[data-toggle]").forEach((button) => button.addEventListener("click", () => {
    const hidden = document.body.classList.toggle("no-" + button.dataset.toggle);
    press([button], () => !hidden);
  }));

  all("[data-filter]").forEach((button) => button.addEventListener("click", () => {
    const kind = button.dataset.filter;
    let shown = 0;
    [...articles, ...all("#contents tbody tr")].forEach((item) => {
      item.hidden = kind !== "all" && !item.dataset.kinds.split(" ").includes(kind);
      shown += item.hidden ? 0 : 1;
    });
    document.getElementById("none-shown").hidden = shown > 0;
    press(all("[data-filter]"), (b) => b === button);
  }));

  all("table.sortable").forEach((table) => all("thead th", table).forEach((head, column) =>
    head.firstElementChild.addEventListener("click", () => {
      const rising = head.getAttribute("aria-sort") !== "ascending";
      all("thead th", table).forEach((th) => th.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", rising ? "ascending" : "descending");
      const text = (row) => row.cells[column].textContent.trim();
      const sign = rising ? 1 : -1;
      const compare = (a, b) => {
        const [x, y] = [parseFloat(text(a)), parseFloat(text(b))];
        const byNumber = head.classList.contains("num") && (isNaN(x) || isNaN(y) ? isNaN(x) - isNaN(y) : sign * (x - y));
        return byNumber || sign * text(a).localeCompare(text(b), "en", { numeric: true });
      };
      const rows = all("tbody tr", table).sort(compare);
      table.tBodies[0].append(...rows);
    })));
})();
