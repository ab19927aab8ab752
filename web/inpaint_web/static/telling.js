// What the page says: a line over the pictures, and whether everything is saved.

const SAVED = { saved: "Saved", saving: "Saving", failing: "Not saved yet, trying again", declined: "Not saved" };
const element = (id) => document.getElementById(id);
let fading = 0; // timer of what is told

// Over the pictures, and so not for longer than it takes to read; what goes on ("…") is told until it is over.
export function tell(text, warn = false) {
  const told = element("told");
  told.textContent = text;
  told.classList.toggle("warn", warn);
  told.classList.remove("past");
  clearTimeout(fading);
  if (!text.endsWith("…")) fading = setTimeout(() => told.classList.add("past"), 4_000 + 60 * text.length);
  if (element("desk").hidden && text) element("waiting").textContent = text;
}

export function tellSaved(state) {
  element("saved").textContent = SAVED[state];
  element("saved").className = `saved ${state}`;
}
