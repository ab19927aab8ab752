// One result large, over its source: an edge that is dragged, or moved with the slider, parts them.
const lightbox = document.getElementById("lightbox");
const wipe = document.getElementById("wipe");
const slider = document.getElementById("wipe-at");
const pictures = [...document.querySelectorAll("a.picture")];
let shown = -1;

function part(percent) {
  const at = Math.min(100, Math.max(0, percent));
  slider.value = String(Math.round(at));
  wipe.style.setProperty("--at", `${at}%`);
}

function show(number) {
  shown = (number + pictures.length) % pictures.length;
  const link = pictures[shown];
  document.getElementById("lightbox-title").textContent = link.dataset.title;
  document.getElementById("wipe-source").src = link.dataset.source;
  document.getElementById("wipe-result").src = link.href;
  const job = document.getElementById("lightbox-job");
  job.hidden = !link.dataset.job;
  if (link.dataset.job) job.href = link.dataset.job;
  if (!lightbox.open) lightbox.showModal();
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
