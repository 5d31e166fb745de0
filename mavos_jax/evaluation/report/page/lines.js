// How the objects' lines on the curve are told apart.

// Colours of masks are made for pictures. Lines have their own, which readers with any vision of
// colours can tell apart on a light and a dark page: --line-0 and so on, in the style sheet. These
// are the hues of masks, in degrees, that they stand for, null for grey; an object gets the nearest
// that is left.
const LINE_HUES = [0, 120, 60, 240, 300, 180, null];
const DASHES = [null, "7 4", "2 3", "10 3 2 3"];

function hueOf([red, green, blue]) {
  const [high, low] = [Math.max(red, green, blue), Math.min(red, green, blue)];
  if (high - low < 24) return null;
  const sixth = high === red ? (green - blue) / (high - low)
    : high === green ? 2 + (blue - red) / (high - low) : 4 + (red - green) / (high - low);
  return (60 * sixth + 360) % 360;
}

function hueDistance(one, other) {
  if (one === null || other === null) return one === other ? 0 : 200;
  return 180 - Math.abs(180 - Math.abs(one - other));
}

// The stroke and dashes of each object, by its id; dashes tell the rounds of colours apart.
function lineStyles(objects) {
  const styles = new Map();
  let left = [];
  objects.forEach(({ id, colour }, index) => {
    if (!left.length) left = LINE_HUES.map((_, line) => line);
    const distance = (line) => hueDistance(hueOf(colour), LINE_HUES[line]);
    const nearest = left.reduce((best, line) => (distance(line) < distance(best) ? line : best));
    left = left.filter((line) => line !== nearest);
    styles.set(id, { stroke: `var(--line-${nearest})`,
      "stroke-dasharray": DASHES[Math.floor(index / LINE_HUES.length) % DASHES.length] });
  });
  return styles;
}

// How an object's line looks on the curve.
function lineSample(style) {
  return drawing("svg", { class: "sample", width: 26, height: 8, "aria-hidden": "true" },
    drawing("line", { class: "line", x1: 1, x2: 25, y1: 4, y2: 4, ...style }));
}
