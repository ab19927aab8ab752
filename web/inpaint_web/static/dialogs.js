// Help, reasons for a skip or a flag, and the question at the end.

const REASONS = {
  skip: ["I cannot tell", "I know this picture, or what made it", "I do not want to look at this"],
  flag: ["A picture is missing or broken", "Not fit to be shown", "The prompt makes no sense here"],
};
const WORDS = { skip: ["Skip this one", "Skip it"], flag: ["Flag this one", "Flag it"] };

export const isOpen = () => document.querySelector("dialog[open]") !== null;

function closed(dialog) {
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true }));
}

export function help() {
  document.getElementById("help").showModal();
}

// The reason as text, or null if it was thought better of.
export async function reason(kind) {
  const dialog = document.getElementById("reason");
  const [title, button] = WORDS[kind];
  document.getElementById("reason-title").textContent = title;
  document.getElementById("reason-ok").textContent = button;
  const text = document.getElementById("reason-text");
  text.value = "";
  const legend = document.createElement("legend");
  legend.className = "visually-hidden";
  legend.textContent = "Why";
  const choices = REASONS[kind].map((words, number) => {
    const label = document.createElement("label");
    const input = document.createElement("input");
    Object.assign(input, { type: "radio", name: "why", value: words, checked: number === 0 });
    label.append(input, words);
    return label;
  });
  document.getElementById("reason-choices").replaceChildren(legend, ...choices);
  dialog.returnValue = "cancel";
  dialog.showModal();
  document.getElementById("reason-ok").focus();
  if ((await closed(dialog)) !== "ok") return null;
  const why = dialog.querySelector("input[name=why]:checked")?.value ?? "";
  return text.value.trim() ? `${why}: ${text.value.trim()}` : why;
}

export async function wantsToFinish() {
  const dialog = document.getElementById("finish");
  dialog.returnValue = "cancel";
  dialog.showModal();
  return (await closed(dialog)) === "ok";
}
