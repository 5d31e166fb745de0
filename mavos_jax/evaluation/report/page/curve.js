// The scores of a sequence's objects over time, with lanes that show when the truth has them.

const PLOT = { left: 38, right: 12, top: 10, height: 190, axis: 26, lane: 11, label: 12 };
const MEASURES = {
  "J&F": (object, index) => 50 * (object.J[index] + object.F[index]),
  "J": (object, index) => 100 * object.J[index],
  "F": (object, index) => 100 * object.F[index],
};

function niceStep(span, most) {
  const rough = Math.max(1, span / most);
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough);
}

function curveOf(sequence, styles, onFrame) {
  const objects = sequence.objects.filter((object) => object.frames);
  const changing = objects.filter((object) => object.changes.length > 0);
  const lanes = changing.length ? 8 + PLOT.lane * changing.length : 0;
  const height = PLOT.top + PLOT.height + PLOT.axis + lanes;
  const last = Math.max(1, sequence.num_frames - 1);
  const bottom = PLOT.top + PLOT.height;
  const root = drawing("svg", { class: "curve", height, role: "img" });
  const cursor = drawing("line", { class: "cursor", y1: PLOT.top - 4, y2: height - 2 });
  const state = { width: 600, measure: "J&F", hidden: new Set(), frame: 0 };

  const x = (frame) => PLOT.left + (frame / last) * (state.width - PLOT.left - PLOT.right);
  const y = (percent) => bottom - (percent / 100) * PLOT.height;

  function axes() {
    const parts = [];
    for (const percent of [0, 25, 50, 75, 100]) {
      parts.push(
        drawing("line", { class: "grid", x1: PLOT.left, x2: state.width - PLOT.right,
          y1: y(percent), y2: y(percent) }),
        drawing("text", { x: PLOT.left - 8, y: y(percent) + 4, "text-anchor": "end" },
          String(percent)));
    }
    const step = niceStep(last, Math.max(2, state.width / 90));
    for (let frame = 0; frame <= last; frame += step) {
      parts.push(drawing("text", { x: x(frame), y: bottom + 20, "text-anchor": "middle" },
        whole(frame)));
    }
    for (const picture of sequence.pictures) {
      parts.push(drawing("line", { class: "tick", x1: x(picture.frame), x2: x(picture.frame),
        y1: bottom + 1, y2: bottom + 5 }));
    }
    return parts;
  }

  function line(object) {
    const style = styles.get(object.id);
    const value = MEASURES[state.measure];
    const points = object.frames.map(
      (frame, index) => `${x(frame).toFixed(1)},${y(value(object, index)).toFixed(1)}`);
    if (points.length === 1) {
      const [cx, cy] = points[0].split(",");
      return drawing("circle", { cx, cy, r: 3, fill: style.stroke, "data-object": object.id });
    }
    return drawing("polyline", { class: "line", points: points.join(" "), ...style,
      "data-object": object.id }, drawing("title", {}, `object ${object.id}`));
  }

  // The network's confidence in an object, from the first frame that has one.
  function sureness(object) {
    const points = object.confidence.flatMap((value, frame) => (
      value === null ? [] : [`${x(frame).toFixed(1)},${y(100 * value).toFixed(1)}`]));
    return drawing("polyline", { class: "sure", points: points.join(" "),
      stroke: styles.get(object.id).stroke, "data-object": object.id },
      drawing("title", {}, `confidence in object ${object.id}`));
  }

  // Ids at the ends of the lines, moved apart; none where they are too many for the plot's height.
  function labels(shown) {
    const ends = shown.filter((object) => object.frames.length > 0).map((object) => ({ object,
      at: y(MEASURES[state.measure](object, object.frames.length - 1)) }));
    if (ends.length > PLOT.height / PLOT.label) return [];
    ends.sort((one, other) => one.at - other.at);
    let lowest = PLOT.top;
    ends.forEach((end, index) => {
      const room = PLOT.label * (ends.length - 1 - index);
      lowest = Math.max(lowest, Math.min(end.at, bottom - room));
      end.at = lowest;
      lowest += PLOT.label;
    });
    return ends.map(({ object, at }) => drawing("text", { class: "end", y: at + 4,
      x: Math.min(x(object.frames.at(-1)) + 5, state.width - 1 - 8 * String(object.id).length),
      style: `fill: ${styles.get(object.id).stroke}` },
      String(object.id)));
  }

  // A bar where the object is seen; a hollow triangle where it vanishes, a full one on its return.
  function lane(object, position) {
    const { stroke: colour } = styles.get(object.id);
    const middle = bottom + PLOT.axis + 8 + PLOT.lane * position;
    const spans = [];
    object.frames.forEach((frame, index) => {
      const [before, now] = [object.is_visible[index - 1], object.is_visible[index]];
      if (before) spans.at(-1)[1] = frame;
      else if (now) spans.push([frame, frame]);
    });
    const bars = spans.map(([from, to]) => drawing("line", { class: "seen", stroke: colour,
      x1: x(from), x2: Math.max(x(to), x(from) + 1), y1: middle, y2: middle }));
    const marks = object.changes.map(([frame, returns]) => {
      const [at, up] = [x(frame), returns ? -1 : 1];
      const kind = returns ? "returns" : "vanishes";
      return drawing("path", { class: `event ${kind}`, stroke: colour,
        fill: returns ? colour : "var(--surface)", "data-frame": frame,
        d: `M${at - 4} ${middle - 3 * up}h8l-4 ${6.5 * up}z` },
        drawing("title", {}, `object ${object.id} ${kind} at ${frame}`));
    });
    const rules = object.changes.map(([frame]) => drawing("line", { class: "moment",
      stroke: colour, x1: x(frame), x2: x(frame), y1: PLOT.top, y2: bottom }));
    const name = drawing("text", { class: "lane", x: PLOT.left - 8, y: middle + 3.5,
      "text-anchor": "end" }, String(object.id));
    return [...rules, name, ...bars, ...marks];
  }

  function draw() {
    const isShown = (object) => !state.hidden.has(object.id);
    const shown = objects.filter(isShown);
    root.setAttribute("viewBox", `0 0 ${state.width} ${height}`);
    root.setAttribute("aria-label", `${state.measure} over time in percent, a line an object`);
    root.replaceChildren(...axes(),
      ...changing.flatMap((object, at) => (isShown(object) ? lane(object, at) : [])),
      ...shown.filter((object) => object.confidence).map(sureness),
      ...shown.filter((object) => object.frames.length > 0).map(line), ...labels(shown), cursor);
    moveTo(state.frame);
  }

  function moveTo(frame) {
    state.frame = frame;
    cursor.setAttribute("x1", x(frame));
    cursor.setAttribute("x2", x(frame));
  }

  function pick(event) {
    const box = root.getBoundingClientRect();
    const share = (event.clientX - box.left - PLOT.left) / (box.width - PLOT.left - PLOT.right);
    onFrame(Math.round(Math.min(1, Math.max(0, share)) * last));
  }
  root.addEventListener("pointerdown", (event) => {
    root.setPointerCapture(event.pointerId);
    pick(event);
  });
  root.addEventListener("pointermove", (event) => {
    if (event.buttons & 1) pick(event);
  });
  const observer = new ResizeObserver(([entry]) => {
    state.width = Math.max(240, Math.round(entry.contentRect.width));
    draw();
  });
  observer.observe(root);

  return {
    root, moveTo,
    hasChanges: changing.length > 0,
    hasConfidence: objects.some((object) => object.confidence),
    measure(name) { state.measure = name; draw(); },
    toggle(id) {
      if (!state.hidden.delete(id)) state.hidden.add(id);
      draw();
      return !state.hidden.has(id);
    },
    close: () => observer.disconnect(),
  };
}
