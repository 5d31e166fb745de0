// Making elements, and writing numbers. Names reach the page only as text nodes and attributes.

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
  const text = value.toFixed(digits);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
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

// What `make` returns, or a line in its place: a part that fails leaves the others as they are.
function orFailure(name, make) {
  try {
    return make();
  } catch (error) {
    console.error(error);
    return element("p", { class: "failure", role: "alert" },
      `${name}: this part of the report cannot be shown (${error.message}).`);
  }
}
