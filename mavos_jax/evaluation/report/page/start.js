// Shows the view that the address asks for: a sequence by its name, or the overview.

const data = readJson("overview");
const page = document.getElementById("page");
const overview = overviewPage(data);
let [opened, scrolled] = [null, 0];

function nameInAddress() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return "";
  }
}

function show() {
  const index = data.sequences.findIndex((row) => row.name === nameInAddress());
  const before = opened;
  if (before) before.close();
  else if (index >= 0) scrolled = window.scrollY;
  opened = null;
  if (index < 0) {
    page.replaceChildren(overview);
    document.title = data.title;
    if (before) {
      window.scrollTo(0, scrolled);
      const link = overview.querySelector(`a[href="${CSS.escape(linkTo(before.row))}"]`);
      link?.focus({ preventScroll: true });
    }
    return;
  }
  opened = sequencePage(data, index);
  page.replaceChildren(opened.view);
  document.title = `${data.sequences[index].name} – ${data.title}`;
  window.scrollTo(0, 0);
  opened.start();
}

// The overview is there while the pictures, which follow this script, are still being read.
page.replaceChildren(overview);
document.addEventListener("DOMContentLoaded", () => {
  if (nameInAddress()) show();
  window.addEventListener("hashchange", show);
});
