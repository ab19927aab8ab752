// The questions of an item: radio buttons, of which one group is the current one that digits go to.

//: Who moves through numbers with the arrows has chosen where they rest.
const REST_MS = 900;

export class Criteria {
  // `given(name, stars, moveOn)`: somebody chose a number, and goes on to the next question or stays.
  constructor(form, given) {
    this.form = form;
    this.given = given;
    this.groups = new Map();
    for (const group of form.querySelectorAll(".criterion")) this.groups.set(group.dataset.criterion, group);
    this.names = [];
    this.current = 0;
    form.addEventListener("submit", (event) => event.preventDefault());
    // Where the focus is matters to whoever moves it by keyboard; to others a ring would look like a choice.
    document.addEventListener("keydown", ({ key }) => {
      if (key === "Tab" || key.startsWith("Arrow")) form.classList.add("by-keys");
    });
    document.addEventListener("pointerdown", () => form.classList.remove("by-keys"));
    this.passed = null; // where the arrows have come to: {name, stars, timer}
    let arrow = false;
    form.addEventListener("keydown", (event) => {
      arrow = event.key.startsWith("Arrow");
    });
    form.addEventListener("keyup", () => {
      arrow = false;
    });
    form.addEventListener("change", (event) => {
      if (event.target.type !== "radio") return;
      const { name, value } = event.target;
      if (arrow) this.pass(name, Number(value));
      else {
        this.drop();
        this.given(name, Number(value), true);
      }
    });
    form.addEventListener("focusout", (event) => {
      if (!event.target.closest(".criterion")?.contains(event.relatedTarget)) this.settle();
    });
    form.addEventListener("focusin", (event) => {
      const group = event.target.closest(".criterion");
      if (group) this.mark(this.names.indexOf(group.dataset.criterion));
    });
    form.addEventListener("pointerover", (event) => this.explain(event.target.closest("label")));
    form.addEventListener("pointerout", (event) => this.rest(event.target.closest(".criterion")));
  }

  show(names, stars) {
    this.drop();
    this.names = names;
    for (const [name, group] of this.groups) group.hidden = !names.includes(name);
    for (const name of names) this.set(name, stars[name] ?? null);
    const first = names.findIndex((name) => stars[name] === undefined);
    this.mark(first < 0 ? names.length : first);
  }

  set(name, stars) {
    const group = this.groups.get(name);
    for (const input of group.querySelectorAll("input")) input.checked = Number(input.value) === stars;
    this.rest(group);
  }

  value(name) {
    const chosen = this.groups.get(name).querySelector("input:checked");
    return chosen ? Number(chosen.value) : null;
  }

  missing() {
    return this.names.filter((name) => this.value(name) === null);
  }

  title(name) {
    return this.groups.get(name).querySelector(".title").textContent;
  }

  // A digit: stars for the current question.
  press(stars) {
    const name = this.names[this.current];
    if (name === undefined) return false;
    if (this.passed?.name === name) this.drop();
    this.given(name, stars, true);
    return true;
  }

  pass(name, stars) {
    this.drop();
    this.rest(this.groups.get(name));
    this.passed = { name, stars, timer: setTimeout(() => this.settle(), REST_MS) };
  }

  // Where the arrows are is what was meant.
  settle() {
    const chosen = this.passed;
    this.drop();
    if (chosen) this.given(chosen.name, chosen.stars, false);
  }

  drop() {
    clearTimeout(this.passed?.timer);
    this.passed = null;
  }

  advance(name) {
    this.focus(this.names.indexOf(name) + 1);
  }

  // The group gets the focus; behind the last one the button does.
  focus(number, follow = true) {
    this.mark(number);
    const name = this.names[number];
    if (name === undefined) {
      document.getElementById("next").focus({ preventScroll: true });
      return;
    }
    const group = this.groups.get(name);
    const input = group.querySelector("input:checked") ?? group.querySelector("input");
    input.focus({ preventScroll: true });
    if (follow) group.scrollIntoView({ block: "nearest" });
  }

  mark(number) {
    this.current = number;
    this.names.forEach((name, place) => this.groups.get(name).classList.toggle("current", place === number));
  }

  explain(label) {
    if (!label?.dataset.anchor) return;
    const line = label.closest(".criterion").querySelector(".anchor");
    const number = document.createElement("b");
    number.textContent = label.querySelector("input").value;
    line.replaceChildren(number, ` ${label.dataset.anchor}`);
  }

  // Without a pointer on a number, the chosen one is explained.
  rest(group) {
    if (!group) return;
    const chosen = group.querySelector("input:checked");
    if (chosen) this.explain(chosen.closest("label"));
    else group.querySelector(".anchor").replaceChildren();
  }
}
