// Copying and sorting inside results. Listeners sit on the document: results come and go.
document.addEventListener("click", (event) => {
  const copy = event.target.closest?.(".cs-copy");
  if (copy) return void copyFrom(copy);
  const sorter = event.target.closest?.(".cs-sort");
  if (sorter) sortBy(sorter.closest("th"));
});

async function copyFrom(button) {
  const link = button.dataset.link;
  const text = link === undefined
    ? document.getElementById(button.dataset.copy).textContent
    : location.origin + location.pathname + link;
  const label = button.dataset.label ?? (button.dataset.label = button.textContent);
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    const area = Object.assign(document.createElement("textarea"), { value: text });
    document.body.append(area);
    area.select();
    button.textContent = document.execCommand("copy") ? "Copied" : "Not copied";
    area.remove();
  }
  setTimeout(() => { button.textContent = label; }, 1500);
}

function sortBy(head) {
  const falling = head.getAttribute("aria-sort") === "ascending";
  const column = [...head.parentNode.children].indexOf(head);
  for (const other of head.parentNode.children) other.setAttribute("aria-sort", "none");
  head.setAttribute("aria-sort", falling ? "descending" : "ascending");
  const body = head.closest("table").tBodies[0];
  const value = (row) => row.cells[column].dataset.v;
  const rows = [...body.rows].sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    if (x === "" || y === "") return (x === "") - (y === "");  // what is not known comes last either way
    const numbers = Number(x) - Number(y);
    const order = Number.isNaN(numbers) ? x.localeCompare(y) : numbers;
    return falling ? -order : order;
  });
  body.append(...rows);
}
