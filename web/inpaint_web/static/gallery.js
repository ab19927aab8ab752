// One result large, over its source: an edge that is dragged, or moved with the slider, parts them.
import { More } from "./more.js";

const lightbox = document.getElementById("lightbox");
const wipe = document.getElementById("wipe");
const slider = document.getElementById("wipe-at");
const state = document.getElementById("wipe-state");
const [source, result] = [document.getElementById("wipe-source"), document.getElementById("wipe-result")];
const pictures = [...document.querySelectorAll("a.picture")];
let shown = -1;

for (const text of document.querySelectorAll(".prompt")) new More(text, text.nextElementSibling);

function part(percent) {
  const at = Math.min(100, Math.max(0, percent));
  slider.value = String(Math.round(at));
  wipe.style.setProperty("--at", `${at}%`);
}

function load(image, address) {
  return new Promise((resolve, reject) => {
    image.onload = resolve;
    image.onerror = reject;
    image.src = address;
  });
}

async function fetchBoth(link) {
  const mine = shown;
  // What loads quickly is not announced.
  const slow = setTimeout(() => {
    state.textContent = "Loading…";
    wipe.classList.add("waiting");
  }, 150);
  let failed = false;
  await Promise.all([load(source, link.dataset.source), load(result, link.href)]).catch(() => (failed = true));
  clearTimeout(slow);
  if (mine !== shown) return;
  wipe.classList.toggle("waiting", failed);
  state.textContent = failed ? "The picture does not come. Close, and try again." : "";
}

function show(number) {
  shown = (number + pictures.length) % pictures.length;
  const link = pictures[shown];
  document.getElementById("lightbox-title").textContent = link.dataset.title;
  // The source has nothing to be wiped over.
  wipe.classList.toggle("single", link.getAttribute("href") === link.dataset.source);
  const job = document.getElementById("lightbox-job");
  job.hidden = !link.dataset.job;
  if (link.dataset.job) job.href = link.dataset.job;
  if (!lightbox.open) lightbox.showModal();
  fetchBoth(link);
}

pictures.forEach((link, number) => {
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    part(50);
    show(number);
  });
});

wipe.addEventListener("pointerdown", (event) => wipe.setPointerCapture(event.pointerId));
wipe.addEventListener("pointermove", (event) => {
  if (event.pointerType === "mouse" && event.buttons === 0) return;
  const box = wipe.getBoundingClientRect();
  part((100 * (event.clientX - box.left)) / box.width);
});
slider.addEventListener("input", () => part(Number(slider.value)));
document.getElementById("lightbox-close").addEventListener("click", () => lightbox.close());
lightbox.addEventListener("close", () => pictures[shown]?.focus());
lightbox.addEventListener("keydown", (event) => {
  if (event.target === slider) return;
  if (event.key === "ArrowRight") show(shown + 1);
  if (event.key === "ArrowLeft") show(shown - 1);
});
