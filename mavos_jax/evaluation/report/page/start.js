// Shows the view that the address asks for: "#name", a sequence, "#name/12", its frame 12, or "",
// the overview.

const data = readJson("overview");
const page = document.getElementById("page");
const overview = overviewPage(data);
let [opened, scrolled] = [null, 0];

function placeInAddress() {
  const [name, frame] = location.hash.slice(1).split("/").map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
  return { index: data.sequences.findIndex((row) => addressOf(row) === name), frame };
}

function show() {
  const { index, frame } = placeInAddress();
  const before = opened;
  if (before) before.close();
  else if (index >= 0) scrolled = window.scrollY;
  opened = null;
  if (index < 0) {
    page.replaceChildren(overview.view);
    document.title = data.title;
    if (before) {
      window.scrollTo(0, scrolled);
      overview.linkOf(before.row)?.focus({ preventScroll: true });
    }
    return;
  }
  opened = sequencePage(data, index);
  page.replaceChildren(opened.view);
  document.title = `${data.sequences[index].name} – ${data.title}`;
  window.scrollTo(0, 0);
  opened.start(frame === undefined ? null : Number(frame));
}

// The overview is there while the pictures, which follow this script, are still being read.
page.replaceChildren(overview.view);
document.addEventListener("DOMContentLoaded", () => {
  overview.start();
  if (location.hash) show();
  window.addEventListener("hashchange", show);
});
