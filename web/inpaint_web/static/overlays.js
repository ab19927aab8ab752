// What is drawn over a result: the mask's outline, and the difference from the source.

const RING = "#ff3fd2";
export const GAIN = 8;

function sheet(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

function pixels(image, width, height) {
  const context = sheet(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0, width, height);
  return context.getImageData(0, 0, width, height);
}

// The mask's shape as opaque pixels of one colour.
function shape(mask, colour) {
  const width = mask.naturalWidth;
  const height = mask.naturalHeight;
  const data = pixels(mask, width, height);
  for (let at = 0; at < data.data.length; at += 4) data.data[at + 3] = data.data[at] > 127 ? 255 : 0;
  const canvas = sheet(width, height);
  const context = canvas.getContext("2d");
  context.putImageData(data, 0, 0);
  context.globalCompositeOperation = "source-in";
  context.fillStyle = colour;
  context.fillRect(0, 0, width, height);
  return canvas;
}

function around(context, stamp, reach) {
  for (let step = 0; step < 16; step += 1) {
    const angle = (step * Math.PI) / 8;
    context.drawImage(stamp, reach * Math.cos(angle), reach * Math.sin(angle));
  }
}

// A ring just outside of the mask, with a dark rim so that it is seen on any picture.
export function outline(mask) {
  const width = mask.naturalWidth;
  const height = mask.naturalHeight;
  const canvas = sheet(width, height);
  const context = canvas.getContext("2d");
  const thick = Math.max(1, Math.max(width, height) / 480);
  const ring = shape(mask, RING);
  around(context, shape(mask, "rgb(0 0 0 / 0.55)"), thick * 1.9);
  around(context, ring, thick);
  context.globalCompositeOperation = "destination-out";
  context.drawImage(ring, 0, 0);
  return canvas;
}

// How much each channel of each pixel differs, times GAIN, on black.
export function difference(source, result) {
  const width = result.naturalWidth;
  const height = result.naturalHeight;
  const before = pixels(source, width, height).data;
  const after = pixels(result, width, height);
  for (let at = 0; at < before.length; at += 4) {
    for (let band = at; band < at + 3; band += 1) after.data[band] = Math.abs(after.data[band] - before[band]) * GAIN;
    after.data[at + 3] = 255;
  }
  const canvas = sheet(width, height);
  canvas.getContext("2d").putImageData(after, 0, 0);
  return canvas;
}
