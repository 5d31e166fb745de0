// The view of one sequence: four pictures of a frame, the scrubber, the curve and its objects.

const ERROR_WORDS = { extra: "false positive", missed: "false negative", swapped: "wrong id" };

function swatch(colour) {
  const node = element("span", { class: "swatch", "aria-hidden": "true" });
  node.style.background = `rgb(${colour.join(" ")})`;
  return node;
}

// Four canvases; `show` draws a decoded picture on them.
function viewsOf(sequence, hasTruth) {
  const colours = coloursOf(sequence.objects);
  const titles = { image: "Image", prediction: "Prediction",
    ...(hasTruth ? { truth: "Ground truth", errors: "Errors" } : {}) };
  const canvases = {};
  const figures = Object.entries(titles).map(([kind, title]) => {
    const [width, height] = sequence.picture_size;
    canvases[kind] = element("canvas", { width, height, role: "img", "aria-label": title });
    canvases[kind].style.aspectRatio = `${width} / ${height}`;
    return element("figure", { "data-view": kind }, element("figcaption", {}, title),
      element("div", { class: "frame" }, canvases[kind],
        element("p", { class: "absent" }, "no label for this frame")));
  });
  const shares = Object.fromEntries(Object.keys(WRONG).map(
    (kind) => [kind, element("span", { class: "share" })]));
  const legend = element("ul", { class: "legend" }, ...Object.entries(WRONG).map(
    ([kind, colour]) => element("li", {}, swatch(colour), `${ERROR_WORDS[kind]} `, shares[kind])));

  function put(kind, picture) {
    const canvas = canvases[kind];
    canvas.parentElement.classList.toggle("is-absent", picture === null);
    if (picture === null) return;
    canvas.getContext("2d").putImageData(picture, 0, 0);
  }
  function show({ image, prediction, truth }, opacity) {
    put("image", image);
    put("prediction", tinted(image, prediction, colours, opacity));
    if (!hasTruth) return;
    put("truth", truth && tinted(image, truth, colours, opacity));
    const errors = truth && errorsOf(image, prediction, truth);
    put("errors", errors && errors.picture);
    for (const [kind, node] of Object.entries(shares)) {
      node.textContent = errors ? `${decimal(errors.shares[kind], 2)} %` : "–";
    }
  }
  return { figures, legend: hasTruth ? legend : null, show };
}

// The objects: buttons that hide their curves, their scores, and those of the current frame.
function objectTable(sequence, styles, toggle) {
  const isScored = sequence.objects.some((object) => object.means);
  const current = new Map();
  const names = ["J&F", "J", "F", "J recall", "J decay", "F recall", "F decay"];
  const minor = (name) => ({ class: name.includes(" ") ? "minor" : null });
  const rows = sequence.objects.map((object) => {
    const label = object.category ? `${object.id} ${object.category}` : String(object.id);
    const head = object.means
      ? element("button", { type: "button", class: "object", "aria-pressed": "true",
        title: "show or hide its curve",
        onclick: (event) => event.currentTarget.setAttribute("aria-pressed", toggle(object.id)) },
        swatch(object.colour), lineSample(styles.get(object.id)), label)
      : element("span", { class: "object" }, swatch(object.colour), label);
    const cells = [];
    if (isScored) {
      current.set(object, [element("td", { class: "now" }, "–"), element("td", { class: "now" }, "–")]);
      cells.push(...current.get(object),
        ...names.map((name) => element("td", minor(name), decimal(object.means?.[name]))));
    }
    return element("tr", {}, element("th", { scope: "row" }, head), ...cells);
  });
  const heads = ["object", ...(isScored ? ["J\u00a0now", "F\u00a0now", ...names] : [])];
  function moveTo(frame) {
    for (const [object, cells] of current) {
      const index = object.frames ? object.frames.indexOf(frame) : -1;
      ["J", "F"].forEach((letter, at) => {
        cells[at].textContent = index < 0 ? "–" : decimal(100 * object[letter][index]);
      });
    }
  }
  const table = element("div", { class: "scroll" }, element("table", { class: "objects" },
    element("thead", {}, element("tr", {},
      ...heads.map((name) => element("th", { scope: "col", ...minor(name) }, name)))),
    element("tbody", {}, ...rows)));
  return { table, moveTo };
}

function choiceOf(label, names, onChoice) {
  const buttons = names.map((name, index) => element("button", { type: "button",
    "aria-pressed": String(index === 0), onclick: () => {
      buttons.forEach((other) => other.setAttribute("aria-pressed", String(other.textContent === name)));
      onChoice(name);
    } }, name));
  return element("div", { class: "choice", role: "group", "aria-label": label }, ...buttons);
}

function headOf(data, index) {
  const row = data.sequences[index];
  const facts = [];
  for (const name of ["J&F", "J", "F"]) {
    if (row[name] !== undefined) facts.push([name, decimal(row[name])]);
  }
  facts.push(["Objects", whole(row.objects)], ["Frames", whole(row.frames)]);
  if (row.height !== null) facts.push(["Size", `${row.width} × ${row.height}`]);
  for (const name of data.protocols) facts.push([`FPS ${name}`, decimal(row.fps[name])]);
  const step = (label, other) => (other
    ? element("a", { class: "step", href: linkTo(other) }, label)
    : element("span", { class: "step", "aria-disabled": "true" }, label));
  return element("header", {},
    element("nav", { "aria-label": "Sequences" },
      element("a", { class: "step", href: "#" }, "← All sequences"),
      element("span", { class: "spacer" }),
      step("‹ Previous", data.sequences[index - 1]), step("Next ›", data.sequences[index + 1])),
    element("h1", { tabindex: -1 }, row.name),
    element("dl", { class: "facts numbers" }, ...facts.map(([name, value]) => element("div", {},
      element("dt", {}, name), element("dd", {}, value)))));
}

function curveSection(curve, row, moveTo) {
  const marks = curve.hasChanges
    ? "Bars below the axis show when the truth has an object: ▽ it vanishes, ▲ it returns." : "";
  const sure = curve.hasConfidence ? "Dotted: the network's confidence in the object. Where it " +
    "stays high while the score falls, the network is wrong without knowing it." : "";
  const worst = row.worst && row.num_shown > 0
    ? element("button", { type: "button", class: "more", onclick: () => moveTo(row.worst.frame) },
      `Worst frame: ${row.worst.name}, ${decimal(row.worst["J&F"])}`) : null;
  return element("section", {}, element("div", { class: "line-up" },
    element("h2", {}, "Scores over time"), worst,
    choiceOf("Measure", Object.keys(MEASURES), curve.measure)), curve.root,
    element("p", { class: "note" }, row.num_shown > 0
      ? `Click to move to a frame. Ticks on the axis are the frames with pictures. ${marks}` : marks),
    sure ? element("p", { class: "note" }, sure) : null);
}

function notesOf(row) {
  const notes = [];
  if (row.num_finished === 0) notes.push("No masks of this sequence were found.");
  else if (row.num_shown === 0) notes.push("The limit of pictures leaves none for this sequence.");
  if (!row.has_truth) {
    notes.push("There are no labels beyond the given masks (those of some splits are not " +
      "public), so no ground truth, errors or scores are shown.");
  } else if (row["J&F"] === undefined) notes.push("This sequence was not scored.");
  return notes.map((text) => element("p", { class: "note" }, text));
}

// What a sequence's own block of the page shows; a part that fails leaves the others.
function partsOf(data, index) {
  const row = data.sequences[index];
  const sequence = readJson(`sequence-${index}`);
  const styles = lineStyles(sequence.objects.filter((object) => object.frames));
  let [player, curve, objects] = [null, null, null];
  const moveTo = (frame) => player?.moveToFrame(frame);
  const pictures = sequence.pictures.length === 0 ? null : orFailure("Pictures", () => {
    player = playerOf(sequence, row, (frame) => {
      curve?.moveTo(frame);
      objects?.moveTo(frame);
    });
    return player.view;
  });
  const scores = row["J&F"] === undefined ? null : orFailure("Scores over time", () => {
    curve = curveOf(sequence, styles, moveTo);
    return curveSection(curve, row, moveTo);
  });
  const table = sequence.objects.length === 0 ? null : orFailure("Objects", () => {
    objects = objectTable(sequence, styles, (id) => curve?.toggle(id) ?? true);
    return element("section", {}, element("h2", {}, "Objects"), objects.table);
  });
  return { nodes: [pictures, scores, table], player, curve };
}

function sequencePage(data, index) {
  const row = data.sequences[index];
  const head = headOf(data, index);
  let parts = {};
  const failure = orFailure("Sequence", () => {
    parts = partsOf(data, index);
    return null;
  });
  const view = element("div", { class: "sequence" }, head, ...notesOf(row), failure,
    ...(parts.nodes ?? []));
  const onKey = (event) => parts.player?.onKey(event);
  document.addEventListener("keydown", onKey);
  return {
    row, view,
    start(frame) {
      head.querySelector("h1").focus({ preventScroll: true });
      parts.player?.start(frame);
    },
    close() {
      parts.player?.pause();
      parts.curve?.close();
      document.removeEventListener("keydown", onKey);
    },
  };
}
