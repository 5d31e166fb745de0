// One picture a sequence, beside the summary. A tile is drawn when it comes into view and emptied
// when it leaves: its pictures are read from the sequence's own block, so that they take no room.

const FRAMES = {
  worst: (pictures, row) => pictures.find(({ frame }) => frame === row.worst?.frame),
  middle: (pictures) => pictures[pictures.length >> 1],
  first: (pictures) => pictures[0],
  last: (pictures) => pictures.at(-1),
};
const ORDERS = {
  "worst sequence": (row) => row["J&F"],
  "worst frame": (row) => row.worst?.["J&F"],
  name: () => null,
};
const OPACITY = 0.55;
const NUM_TILES = 12; // until all are asked for; the style sheet hides the others

function tileOf(row, index, isScored) {
  const canvas = element("canvas", { width: 0, height: 0 });
  const scores = [];
  if (isScored) scores.push(element("b", {}, decimal(row["J&F"])));
  if (row.worst) scores.push(`worst frame ${decimal(row.worst["J&F"])}`);
  const node = element("a", { href: linkTo(row), class: "tile", title: row.name,
    "aria-label": `${row.name}, picture` },
    element("span", { class: "frame" }, canvas,
      row.num_shown ? null : element("span", { class: "absent" }, stateOf(row) ?? "no picture")),
    element("span", { class: "name" }, row.name),
    scores.length ? element("span", { class: "scores" }, ...scores) : null);
  let wanted = null;

  async function draw(choice) {
    wanted = choice;
    if (!row.num_shown) return;
    const { pictures, objects } = readJson(`sequence-${index}`);
    const picture = FRAMES[choice](pictures, row) ?? FRAMES.middle(pictures);
    const { image, prediction } = await readPicture(picture);
    if (wanted !== choice) return;
    Object.assign(canvas, { width: image.width, height: image.height });
    canvas.getContext("2d").putImageData(
      tinted(image, prediction, coloursOf(objects), OPACITY), 0, 0);
    node.href = `${linkTo(row)}/${picture.frame}`;
    const score = isScored ? `, J&F ${decimal(row["J&F"])}` : "";
    node.setAttribute("aria-label", `${row.name}, picture of frame ${picture.name}${score}`);
    node.dataset.shown = picture.frame;
  }

  function empty() {
    wanted = null;
    Object.assign(canvas, { width: 0, height: 0 });
    delete node.dataset.shown;
  }

  return { row, node, item: element("li", {}, node), draw, empty };
}

function galleryOf(data) {
  const isScored = data.rule !== null;
  const tiles = data.sequences.map((row, index) => tileOf(row, index, isScored));
  const list = element("ul", { class: "tiles" });
  let choice = isScored ? "worst" : "middle";
  const byNode = new Map(tiles.map((tile) => [tile.node, tile]));
  const observer = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) byNode.get(target).draw(choice);
      else byNode.get(target).empty();
    }
  }, { rootMargin: "400px" });

  function order(name) {
    const column = { value: (tile) => ORDERS[name](tile.row), isNumber: true };
    list.replaceChildren(...[...tiles].sort(compareBy(column, 1)).map((tile) => tile.item));
  }

  function choose(name) {
    choice = name;
    for (const { node, draw } of tiles) if (node.dataset.shown !== undefined) draw(choice);
  }

  const more = element("button", { type: "button", class: "more", "aria-expanded": "false",
    onclick: () => {
      const isWhole = view.classList.toggle("is-whole");
      more.setAttribute("aria-expanded", String(isWhole));
      more.textContent = isWhole ? "Show fewer" : label;
    } });
  const label = `Show all ${whole(tiles.length)}`;
  more.textContent = label;
  const labelled = (...words) => element("div", { class: "labelled" },
    element("span", {}, words[0]), choiceOf(...words));
  const view = element("section", { class: "gallery", "aria-label": "Pictures of sequences" },
    element("div", { class: "line-up" },
      isScored ? labelled("Order", Object.keys(ORDERS), order) : null,
      labelled("Frame", [choice, "first", "last"], choose),
      tiles.length > NUM_TILES ? more : null), list);
  order(isScored ? "worst sequence" : "name");
  return { view, start: () => tiles.forEach(({ node }) => observer.observe(node)) };
}
