// The first view: what was run, the summary beside the paper's, and the table of sequences.

// Title, key, tooltip, text of a row's value. Group titles stand above the columns of J and of F.
function columnsOf(data) {
  const percent = (key) => (row) => decimal(row[key]);
  const columns = [{ title: "Sequence", key: "name", value: (row) => row.name }];
  const isScored = data.rule !== null;
  const score = (title, key, group) => columns.push({ title, key, group, isNumber: true,
    isMinor: title !== key && title !== "mean", value: (row) => row[key], text: percent(key) });
  if (isScored) {
    score("J&F", "J&F");
    for (const letter of ["J", "F"]) {
      score("mean", letter, letter);
      score("recall", `${letter} recall`, letter);
      score("decay", `${letter} decay`, letter);
    }
    if (data.sequences.some((row) => row.V !== null)) score("V", "V");
  }
  for (const name of data.protocols) {
    columns.push({ title: name, key: `FPS ${name}`, group: "FPS", isNumber: true,
      isMinor: isScored || name !== data.protocols.at(-1),
      value: (row) => row.fps[name], text: (row) => decimal(row.fps[name]) });
  }
  columns.push(
    { title: "frames", key: "frames", isNumber: true, isMinor: isScored, value: (row) => row.frames,
      text: (row) => whole(row.frames) },
    { title: "objects", key: "objects", isNumber: true, value: (row) => row.objects,
      text: (row) => whole(row.objects) },
    { title: "size", key: "size", isNumber: true, isMinor: true,
      value: (row) => (row.height === null ? null : row.height * row.width),
      text: (row) => (row.height === null ? "–" : `${row.width} × ${row.height}`) });
  return columns;
}

function compareBy(column, direction) {
  return (a, b) => {
    const [left, right] = [column.value(a) ?? null, column.value(b) ?? null];
    if (left === null || right === null) return (left === null) - (right === null);
    const order = column.isNumber
      ? left - right : left.localeCompare(right, "en", { numeric: true });
    return direction * order;
  };
}

// A file's name may hold bytes that are no text, which an address cannot.
function addressOf(row) {
  return row.name.replace(/\p{Surrogate}/gu, (half) => `\\u${half.charCodeAt(0).toString(16)}`);
}

function linkTo(row) {
  return `#${encodeURIComponent(addressOf(row))}`;
}

function stateOf(row) {
  if (row.num_finished === 0) return "no masks";
  if (row.num_finished === row.num_expected) return null;
  return `${whole(row.num_finished)} of ${whole(row.num_expected)} masks`;
}

function rowOf(row, columns) {
  const state = stateOf(row);
  const cells = columns.map((column) => {
    if (column.key === "name") {
      return element("th", { scope: "row" },
        element("a", { href: linkTo(row), title: row.name }, row.name),
        row.is_unseen ? element("span", { class: "tag" }, "unseen") : null,
        state ? element("span", { class: "tag warning" }, state) : null);
    }
    const cell = element("td", {}, column.text(row));
    if (column.isMinor) cell.classList.add("minor");
    if (column.key === "J&F" && Number.isFinite(row[column.key])) {
      cell.classList.add("bar");
      cell.style.setProperty("--share", `${row[column.key]}%`);
    }
    return cell;
  });
  const open = (event) => {
    if (!event.target.closest("a")) location.hash = linkTo(row);
  };
  return element("tr", { onclick: open }, ...cells);
}

function sequenceTable(data) {
  const columns = columnsOf(data);
  const body = element("tbody");
  const heads = columns.map((column) => {
    const name = column.group ? `${column.group} ${column.title}` : column.title;
    const button = element("button", { type: "button", "aria-label": `sort by ${name}`,
      onclick: () => sortBy(column) },
      column.group ? element("span", { class: "group" }, `${column.group} `) : null,
      element("span", {}, column.title), element("span", { class: "arrow" }));
    return element("th", { scope: "col", "aria-sort": "none", "data-column": column.key,
      class: column.isMinor ? "minor" : null }, button);
  });
  let [sorted, direction] = [null, 1];
  function sortBy(column) {
    direction = sorted === column ? -direction : 1;
    sorted = column;
    columns.forEach((other, index) => heads[index].setAttribute("aria-sort",
      other !== column ? "none" : direction > 0 ? "ascending" : "descending"));
    const rows = [...data.sequences].sort(compareBy(column, direction));
    body.replaceChildren(...rows.map((row) => rowOf(row, columns)));
  }
  const groups = [];
  for (const { group } of columns) {
    const last = groups.at(-1);
    if (last && group && last.group === group) last.span += 1;
    else groups.push({ group, span: 1 });
  }
  const groupHeads = groups.map(({ group, span }) => (group
    ? element("th", { colspan: span, scope: "colgroup" }, group) : element("td")));
  body.append(...data.sequences.map((row) => rowOf(row, columns)));
  return element("div", { class: "scroll", tabindex: 0, role: "region",
    "aria-label": "Table of sequences" },
    element("table", { class: "sequences" },
      element("thead", {},
        groups.some(({ group }) => group) ? element("tr", { class: "groups" }, ...groupHeads) : null,
        element("tr", {}, ...heads)),
      body));
}

function inUnit(value, unit) {
  return decimal(value, unit === "GB" ? 2 : 1);
}

function summaryTable(data) {
  const hasPaper = data.paper !== null && data.summary.some((row) => Number.isFinite(row.paper));
  const rows = data.summary.map((row) => {
    const cells = [element("th", { scope: "row" }, row.name,
      row.unit === "GB" ? element("span", { class: "unit" }, " GB") : null),
      element("td", { class: "own" }, inUnit(row.value, row.unit))];
    if (hasPaper) {
      const isReported = Number.isFinite(row.paper);
      const difference = row.unit === "%" && isReported && row.value !== null
        ? signed(row.value - row.paper) : "";
      cells.push(element("td", {}, isReported ? inUnit(row.paper, row.unit) : ""),
        element("td", { class: "quiet" }, difference));
    }
    return element("tr", {}, ...cells);
  });
  const heads = ["", "this run", ...(hasPaper ? [`paper’s ${data.paper.model}`, "difference"] : [])];
  return element("table", { class: "summary" },
    element("thead", {}, element("tr", {},
      ...heads.map((head) => (head ? element("th", { scope: "col" }, head) : element("td"))))),
    element("tbody", {}, ...rows));
}

function paperNote(data) {
  if (data.paper === null) {
    return data.network
      ? `The paper reports nothing for ${data.network} on ${data.dataset} ${data.split}.`
      : "The paper reports nothing for a part of a set.";
  }
  const fps = "its speed is that of a V100 by the protocol aot";
  return `Paper: ${data.paper.source}; ${fps}. ${data.paper.note}`;
}

function factsOf(data) {
  const finished = data.sequences.filter((row) => row.num_finished === row.num_expected).length;
  const facts = [["Data set", `${data.dataset} ${data.split}`], ["Network", data.network || "–"],
    ["Rule of scores", data.rule ?? "none: the labels are not public, or no scorer was run"],
    ["Finished", `${whole(finished)} of ${plural(data.sequences.length, "sequence")}`],
    ["Pictures", `${whole(data.num_shown)} of ${plural(data.num_frames, "frame")}`]];
  return element("dl", { class: "facts" }, ...facts.map(([name, value]) => element("div", {},
    element("dt", {}, name), element("dd", {}, value))));
}

function provenanceOf(data) {
  const rows = data.provenance.map(([name, value]) => element("tr", {},
    element("th", { scope: "row" }, name), element("td", {}, value)));
  return element("details", {}, element("summary", {}, "Provenance"),
    element("table", { class: "provenance" }, element("tbody", {}, ...rows)));
}

function overviewPage(data) {
  const gallery = data.num_shown ? orFailure("Pictures", () => galleryOf(data)) : null;
  const table = data.sequences.length ? orFailure("Table", () => sequenceTable(data))
    : element("p", { class: "note" }, "The set has no sequences.");
  const view = element("div", { class: "overview" },
    element("header", {}, element("h1", {}, data.title), orFailure("Facts", () => factsOf(data))),
    element("div", { class: "beside" },
      element("section", { "aria-label": "Summary" },
        data.summary.length ? orFailure("Summary", () => summaryTable(data))
          : element("p", { class: "note" }, "Nothing was scored or timed."),
        element("p", { class: "note" }, orFailure("Paper", () => paperNote(data)))),
      gallery?.view ?? gallery),
    element("section", {}, element("h2", {}, "Sequences"),
      data.rule === null ? null : element("p", { class: "note" },
        "Means over objects in percent; decay is the first quarter’s mean minus the last’s."),
      table,
      element("p", { class: "note narrow" },
        "A wider window has more columns; so has the page of each sequence.")),
    data.provenance.length ? orFailure("Provenance", () => provenanceOf(data)) : null);
  return {
    view,
    linkOf: (row) => view.querySelector(`.sequences a[href="${CSS.escape(linkTo(row))}"]`),
    start: () => gallery?.start?.(),
  };
}
