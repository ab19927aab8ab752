// Items with their pictures, decoded before they are needed: the next ones are fetched while one is looked at.
import { ask } from "./api.js";

const KEPT = 8;

function picture(url, alt) {
  const image = new Image();
  image.decoding = "async";
  image.alt = alt;
  image.draggable = false;
  const ready = new Promise((resolve, reject) => {
    image.addEventListener("load", () => image.decode().then(resolve, resolve), { once: true });
    image.addEventListener("error", () => reject(new Error(url)), { once: true });
  });
  image.src = url;
  return ready.then(() => image);
}

// A picture is tried again by itself: a connection that was away for a second must not cost an item.
async function patiently(url, alt) {
  for (let pause = 400; ; pause *= 2) {
    try {
      return await picture(url, alt);
    } catch (error) {
      if (pause > 7_000) throw error;
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}

export class Ahead {
  constructor(base) {
    this.base = base;
    this.found = new Map();
  }

  // The item at a position with its pictures; from memory if it was fetched ahead.
  load(position) {
    let loading = this.found.get(position);
    if (!loading) {
      loading = this.fetch(position);
      loading.catch(() => this.found.delete(position));
    }
    this.found.delete(position);
    this.found.set(position, loading);
    while (this.found.size > KEPT) this.found.delete(this.found.keys().next().value);
    return loading;
  }

  async fetch(position) {
    const item = await ask("GET", `${this.base}/items/${position}?peek=true`);
    const many = item.results.length > 1;
    const [source, mask, ...results] = await Promise.all([
      patiently(item.source, "Source"),
      item.mask ? patiently(item.mask, "Mask: white was repainted") : null,
      ...item.results.map((url, number) => patiently(url, many ? `Trial ${number + 1}` : "Result")),
    ]);
    return { item, source, mask, results };
  }
}
