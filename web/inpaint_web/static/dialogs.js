// Help, reasons for a skip or a flag, what the numbers mean, and the question at the end.

const REASONS = {
  skip: ["I cannot tell", "I know this picture, or what made it", "I do not want to look at this"],
  flag: ["A picture is missing or broken", "Not fit to be shown", "The prompt makes no sense here"],
};
const WORDS = { skip: ["Skip this one", "Skip it"], flag: ["Flag this one", "Flag it"] };
const element = (id) => document.getElementById(id);
let asked = null; // what was asked last, until it is answered

export const isOpen = () => document.querySelector("dialog[open]") !== null;

function closed(dialog) {
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true }));
}

export function help() {
  element("help").showModal();
}

// All numbers of the questions of this item.
export function meanings(names) {
  for (const section of document.querySelectorAll("[data-meaning]")) section.hidden = !names.includes(section.dataset.meaning);
  element("meanings").showModal();
}

const reasonText = () => element("reason-text").value.trim();
const chosen = () => element("reason").querySelector("input[name=why]:checked");

// Nothing is skipped or flagged by an Enter too many: there has to be a reason first.
function allow() {
  const enough = Boolean(chosen() || reasonText());
  element("reason-ok").disabled = !enough;
  element("reason-hint").classList.toggle("met", enough);
}

function choice(words, number) {
  const label = document.createElement("label");
  const input = document.createElement("input");
  Object.assign(input, { type: "radio", name: "why", value: words });
  const key = document.createElement("kbd");
  key.textContent = String(number + 1);
  key.setAttribute("aria-hidden", "true");
  label.append(input, words, key);
  return label;
}

// 1, 2, 3 choose; letters are the beginning of a text.
function onKey(event) {
  if (event.target.id === "reason-text" || event.ctrlKey || event.metaKey || event.altKey) return;
  const inputs = element("reason").querySelectorAll("input[name=why]");
  const named = inputs[Number(event.key) - 1];
  if (named) {
    event.preventDefault();
    named.checked = true;
    named.focus();
    allow();
  } else if (event.key.length === 1 && event.key !== " ") element("reason-text").focus();
}

// The reason as text, or null if it was thought better of.
export async function reason(kind) {
  // A dialog that was closed a moment ago has yet to say so, and must not be heard as the answer to this one.
  await asked;
  const dialog = element("reason");
  const [title, button] = WORDS[kind];
  element("reason-title").textContent = title;
  element("reason-ok").textContent = button;
  element("reason-text").value = "";
  const legend = document.createElement("legend");
  legend.className = "visually-hidden";
  legend.textContent = "Why";
  element("reason-choices").replaceChildren(legend, ...REASONS[kind].map(choice));
  element("reason-cancel").onclick = () => dialog.close("cancel");
  dialog.onkeydown = onKey;
  dialog.oninput = allow;
  allow();
  dialog.returnValue = "cancel";
  dialog.showModal();
  dialog.querySelector("input[name=why]").focus();
  asked = closed(dialog);
  if ((await asked) !== "ok") return null;
  return [chosen()?.value, reasonText()].filter(Boolean).join(": ");
}

export async function wantsToFinish() {
  const dialog = element("finish");
  dialog.returnValue = "cancel";
  dialog.showModal();
  return (await closed(dialog)) === "ok";
}
