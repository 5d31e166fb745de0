// Making elements, and writing numbers. Names reach the page as text nodes and attributes alone.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) {
      node.setAttribute(name, value);
    }
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function element(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function drawing(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function readJson(id) {
  return JSON.parse(document.getElementById(id).textContent);
}

function decimal(value, digits = 1) {
  if (value === null || value === undefined) return "–";
  return value.toFixed(digits).replace("-", "−");
}

function whole(value) {
  return value === null || value === undefined ? "–" : value.toLocaleString("en-US");
}

function plural(number, noun) {
  return `${whole(number)} ${noun}${number === 1 ? "" : "s"}`;
}

function signed(value) {
  const text = decimal(value);
  return value > 0 && Number(value.toFixed(1)) !== 0 ? `+${text}` : text;
}

// The part of WCAG 2's contrast that a colour decides, from 0 (black) to 1.
function luminance(colour) {
  const [red, green, blue] = colour.map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

// Mask colours are made for pictures: on the page, some are too dark or too light to be seen, and
// are mixed with white or black until they have a contrast of 3.
function visibleColour(colour, isDark) {
  const surface = luminance(isDark ? [23, 26, 31] : [255, 255, 255]);
  const towards = isDark ? 255 : 0;
  for (let share = 0; share < 1; share += 0.05) {
    const mixed = colour.map((value) => Math.round(value + share * (towards - value)));
    const levels = [surface, luminance(mixed)].sort((a, b) => b - a);
    if ((levels[0] + 0.05) / (levels[1] + 0.05) >= 3) return `rgb(${mixed.join(" ")})`;
  }
  return `rgb(${towards} ${towards} ${towards})`;
}
