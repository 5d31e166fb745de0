// Decoding pictures when they are shown, and composing the four views of one.

const WRONG = { extra: [255, 92, 70], missed: [64, 160, 255], swapped: [255, 214, 10] };
const MAX_DECODED = 48;

async function decode(text, kind) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  // Ids are read from the pixels: no colour may be adapted to the screen.
  return createImageBitmap(new Blob([bytes], { type: kind }), { colorSpaceConversion: "none" });
}

function pixelsOf(bitmap) {
  const canvas = element("canvas", { width: bitmap.width, height: bitmap.height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height);
}

function idsOf(bitmap) {
  const { data } = pixelsOf(bitmap);
  return Uint8Array.from({ length: data.length / 4 }, (_, pixel) => data[4 * pixel]);
}

async function readPicture(picture) {
  const kinds = [[picture.image, "image/jpeg"], [picture.prediction, "image/png"]];
  if (picture.truth !== null) kinds.push([picture.truth, "image/png"]);
  const [image, prediction, truth] = await Promise.all(kinds.map((pair) => decode(...pair)));
  return {
    image: pixelsOf(image),
    prediction: idsOf(prediction),
    truth: truth ? idsOf(truth) : null,
  };
}

// A function that decodes a picture, and remembers the latest ones.
function pictureReader(pictures) {
  const decoded = new Map();
  return (position) => {
    const found = decoded.get(position) ?? readPicture(pictures[position]);
    decoded.delete(position);
    decoded.set(position, found);
    if (decoded.size > MAX_DECODED) decoded.delete(decoded.keys().next().value);
    return found;
  };
}

function coloursOf(objects) {
  return new Map(objects.map((object) => [object.id, object.colour]));
}

// The image with objects tinted in their colours; their outlines are opaque.
function tinted(image, ids, colours, opacity) {
  const { width, height } = image;
  const result = new ImageData(new Uint8ClampedArray(image.data), width, height);
  for (let pixel = 0; pixel < ids.length; pixel += 1) {
    const id = ids[pixel];
    const colour = colours.get(id);
    if (!colour) continue;
    const column = pixel % width;
    const isOutline =
      (column > 0 && ids[pixel - 1] !== id) || (column < width - 1 && ids[pixel + 1] !== id) ||
      (pixel >= width && ids[pixel - width] !== id) ||
      (pixel + width < ids.length && ids[pixel + width] !== id);
    const weight = isOutline ? 1 : opacity;
    for (let channel = 0; channel < 3; channel += 1) {
      const at = 4 * pixel + channel;
      result.data[at] += weight * (colour[channel] - result.data[at]);
    }
  }
  return result;
}

function kindOfError(predicted, truth) {
  if (predicted === truth) return null;
  if (truth === 0) return "extra";
  return predicted === 0 ? "missed" : "swapped";
}

// The image in dim grey with errors in colour, and the share of pixels of each kind, in percent.
function errorsOf(image, predicted, truth) {
  const result = new ImageData(image.width, image.height);
  const shares = { extra: 0, missed: 0, swapped: 0 };
  for (let pixel = 0; pixel < predicted.length; pixel += 1) {
    const at = 4 * pixel;
    const [red, green, blue] = image.data.subarray(at, at + 3);
    const grey = 0.55 * (0.3 * red + 0.59 * green + 0.11 * blue) + 12;
    const kind = kindOfError(predicted[pixel], truth[pixel]);
    if (kind) shares[kind] += 100 / predicted.length;
    result.data.set([...(kind ? WRONG[kind] : [grey, grey, grey]), 255], at);
  }
  return { picture: result, shares };
}
